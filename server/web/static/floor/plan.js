// The plan: counts and states from /api/status, visits and fresh items from the running story.

import { clockTime, number, placeName, t } from "./page.js";
import { labelVisit } from "../visit.js";

const SVG = "http://www.w3.org/2000/svg";
const VISIT_WIDTH = 52;
const VISIT_STEP = 60;
const VISIT_ROW = 34;
const DOT_STEP = 13;
const MAX_DOTS = 90;
const FADE_MS = 60_000;
const FAINTEST = 0.3;
const OLD = 0.75; // below it a token is an outline, so that its name stays legible
const BAR_WIDTH = 100;
const RUNNING = new Set(["ready", "alert"]);

const visits = new Map(); // token -> { zone, seenMs }
const fresh = new Map(); // zone -> times of the last items that came
const showing = new Set(); // displays with a moment on them
const heaviest = new Map(); // shelf -> most grams seen, the full length of its bar
let zones = [];
let things = new Map(); // id -> { state, words }
let sensors = []; // what the running agents last said of each presence sensor

/** Take a happening into the plan. */
export function hear({ kind, what, place, facts, at }) {
  const atMs = Date.parse(at);
  if (kind === "visit" && facts.visit) {
    if (what === "entered") visits.set(facts.visit, { zone: place, seenMs: atMs });
    else if (what === "ended" || (what === "left" && visits.get(facts.visit)?.zone === place)) visits.delete(facts.visit);
  }
  if (kind === "decision" && facts.visit && !(visits.get(facts.visit)?.seenMs > atMs)) {
    visits.set(facts.visit, { zone: place, seenMs: atMs }); // a decision is about a visit that is there
  }
  if (kind === "item" && what !== "departed") {
    fresh.set(place, [atMs, ...(fresh.get(place) ?? [])].slice(0, MAX_DOTS));
  }
  if (kind === "shown") {
    if (what === "started") showing.add(place);
    else showing.delete(place);
  }
}

/** Take the server's word on everything. */
export function update(status) {
  zones = status.zones;
  sensors = status.agents.filter((agent) => RUNNING.has(agent.state)).flatMap((agent) => agent.stats?.sensors ?? []);
  things = new Map();
  for (const display of status.displays) {
    const state = display.state === "ready" && showing.has(display.display) ? "showing" : display.state;
    things.set(display.display, { state, words: t(`state.${state}`) ?? state });
  }
  for (const actuator of status.actuators ?? []) {
    const state = actuator.link === "lost" ? "lost" : actuator.on === null ? "unknown" : actuator.on ? "on" : "off";
    things.set(actuator.actuator, { state, words: t(`state.${state}`) });
  }
  for (const shelf of status.shelves ?? []) {
    heaviest.set(shelf.shelf, Math.max(heaviest.get(shelf.shelf) ?? 1, shelf.grams ?? 0));
    const state = shelf.sensor === "lost" ? "lost" : "ready";
    things.set(shelf.shelf, { state, words: weight(shelf), share: (shelf.grams ?? 0) / heaviest.get(shelf.shelf) });
  }
  forgetTheGone();
}

/** Draw all there is, and the table that says the same. */
export function draw(nowMs) {
  for (const room of document.querySelectorAll(".room")) {
    const zone = zones.find((one) => one.zone === room.dataset.zone);
    if (!zone) continue;
    room.querySelector(".counts").textContent = counts(zone);
    room.dataset.covered = String(zone.covered);
    room.querySelector(".uncovered").textContent = uncovered(zone);
    const rows = drawVisits(room.querySelector(".visits"), zone, nowMs);
    drawItems(room.querySelector(".items"), zone, rows, nowMs);
    for (const thing of room.querySelectorAll(".thing")) drawThing(thing);
  }
  for (const row of document.querySelectorAll(".plan tbody tr")) drawRow(row);
}

function counts(zone) {
  const sensed = sensors.filter((sensor) => sensor.zone === zone.zone).map(sense);
  return [t("floor.counts", { items: number(zone.items), visits: zone.people }), ...sensed].join(" · ");
}

/** Whether somebody is before a sensor, by its last word; it knows nobody and counts nobody. */
function sense({ id, occupied }) {
  const words = occupied === null ? t("floor.sensed_unknown") : occupied ? t("floor.sensed") : t("floor.sensed_nobody");
  return `${id}: ${words}`;
}

/** The mark of a zone whose readers do not deliver; empty for one that is covered, or of which nobody has spoken. */
function uncovered({ covered, covered_since }) {
  if (covered !== false) return "";
  return covered_since ? t("floor.uncovered", { time: clockTime(covered_since) }) : t("floor.uncovered_unknown");
}

function weight(shelf) {
  if (shelf.sensor === "lost") return t("state.lost");
  if (shelf.grams === null) return t("floor.weight_unknown");
  const kg = t("floor.weight", { kg: number(shelf.grams / 1000, 2) });
  return shelf.sensor === "moving" ? `${kg}, ${t("floor.weight_moving")}` : kg;
}

/** A zone the server counts nobody in has nobody in it, whatever the story missed. */
function forgetTheGone() {
  for (const [token, { zone }] of visits) {
    if (zones.find((one) => one.zone === zone)?.visits === 0) visits.delete(token);
  }
}

function drawVisits(group, zone, nowMs) {
  const here = [...visits].filter(([, visit]) => visit.zone === zone.zone).sort(([, a], [, b]) => a.seenMs - b.seenMs);
  const known = zone.visits ? here.slice(-zone.visits) : here;
  const labels = known.map(([token, { seenMs }]) => ({ label: labelVisit(token), opacity: fade(nowMs - seenMs) }));
  while (labels.length < zone.visits) labels.push({ label: "v", opacity: FAINTEST }); // here since before this page
  const perRow = Math.max(1, Math.floor(Number(group.dataset.width) / VISIT_STEP));
  group.replaceChildren(...labels.map(({ label, opacity }, i) => {
    const token = element("g", { class: opacity < OLD ? "visit old" : "visit", transform: `translate(${(i % perRow) * VISIT_STEP} ${Math.floor(i / perRow) * VISIT_ROW})` });
    const text = element("text", { x: VISIT_WIDTH / 2, y: 18 });
    text.textContent = label;
    token.append(element("rect", { width: VISIT_WIDTH, height: 26, rx: 13, "fill-opacity": opacity < OLD ? 0.12 : opacity }), text);
    return token;
  }));
  return Math.ceil(labels.length / perRow);
}

function drawItems(group, zone, visitRows, nowMs) {
  const perRow = Math.floor(Number(group.dataset.width) / DOT_STEP);
  const times = fresh.get(zone.zone) ?? [];
  const top = 8 + visitRows * VISIT_ROW;
  group.replaceChildren(...Array.from({ length: Math.min(zone.items, MAX_DOTS) }, (_, i) => {
    const ageMs = nowMs - (times[i] ?? -Infinity);
    const where = { cx: 4 + (i % perRow) * DOT_STEP, cy: top + Math.floor(i / perRow) * DOT_STEP, r: 4 };
    return element("circle", { class: ageMs < FADE_MS ? "dot fresh" : "dot", opacity: fade(ageMs), ...where });
  }));
}

function fade(ageMs) {
  return Math.max(FAINTEST, 1 - (ageMs / FADE_MS) * (1 - FAINTEST)).toFixed(2);
}

function drawThing(thing) {
  const { state, words, share } = things.get(thing.dataset.thing) ?? { state: "unknown", words: t("state.unknown") };
  thing.dataset.state = state;
  thing.querySelector(".says").textContent = words;
  const scale = thing.querySelector(".scale");
  if (!scale || share === undefined) return;
  if (!scale.firstChild) scale.append(element("rect", { class: "bar-back", width: BAR_WIDTH, height: 6, rx: 3 }), element("rect", { class: "bar", height: 6, rx: 3 }));
  scale.lastChild.setAttribute("width", (BAR_WIDTH * share).toFixed(1));
}

function drawRow(row) {
  const zone = zones.find((one) => one.zone === row.dataset.zone);
  if (!zone) return;
  const here = [...document.querySelectorAll(`.room[data-zone="${row.dataset.zone}"] .thing`)].map(
    (thing) => `${placeName(thing.dataset.thing)}: ${thing.querySelector(".says").textContent}`,
  );
  const known = [...visits].filter(([, visit]) => visit.zone === zone.zone).map(([token]) => labelVisit(token));
  const sensed = sensors.filter((sensor) => sensor.zone === zone.zone).map(sense);
  const notes = [uncovered(zone), ...sensed, ...here].filter(Boolean);
  const words = [number(zone.items), [zone.people, ...known].join(" "), notes.join("; ")];
  row.querySelectorAll("td").forEach((cell, i) => {
    if (cell.textContent !== words[i]) cell.textContent = words[i];
  });
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
