// The live floor: the whole picture every second or two, and in between each happening as it comes.

import { bad, showFigures, showTroubles, troublesOf } from "./figures.js";
import { age, clockTime, t } from "./page.js";
import { draw, hear, update } from "./plan.js";
import { recall, settle, tell } from "./story.js";

const EVERY_MS = 2_000;
const SOON_MS = 400; // a crowd at the door must not become a crowd of requests
const WITHIN_MS = 4_000;
const STALE_MS = 5_000;
const LOST_MS = 8_000; // until then the last word is merely old
const KINDS = ["visit", "item", "shelf", "decision", "shown", "actuator", "agent", "display"];

let heardMs = 0; // when the server last answered, by this page's clock
let lostSince = null;
let status = null;
let soon = 0;

async function get(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(WITHIN_MS) });
  if (answer.status === 401) location.reload(); // signed out meanwhile: the page itself leads to where one signs in
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function refresh() {
  try {
    const [now, summary] = await Promise.all([get("/api/status"), get("/api/summary")]);
    status = now;
    heardMs = Date.now();
    lostSince = null;
    update(status);
    showFigures(status, summary, heardMs);
  } catch {
    lostSince ??= heardMs || Date.now();
  }
  show();
}

/** The state of the page itself: waiting, empty, live, stale or lost. */
function stateNow() {
  const silentMs = Date.now() - heardMs;
  if (lostSince !== null && silentMs > LOST_MS) return "lost";
  if (status === null) return "waiting";
  if (lostSince !== null || silentMs > STALE_MS) return "stale";
  if (status.zones.some((zone) => zone.items || zone.visits)) return "live";
  return status.agents.some((agent) => agent.state !== "unknown") ? "empty" : "waiting"; // unheard is not empty
}

function show() {
  const state = stateNow();
  const words = {
    waiting: () => t("floor.waiting"),
    empty: () => t("floor.empty"),
    live: () => t("floor.live"),
    stale: () => t("floor.stale", { age: age(Date.now() - heardMs) }),
    lost: () => t("state.lost"),
  }[state]();
  const told = document.querySelector(".state");
  document.body.dataset.state = told.dataset.state = state;
  if (told.textContent !== words) told.textContent = words;
  showTroubles(state === "lost" ? [bad(t("floor.lost", { time: clockTime(lostSince) }))] : status ? troublesOf(status) : []);
  document.querySelector(".clock").textContent = clockTime(Date.now());
  draw(Date.now());
  settle(Date.now());
}

function listen() {
  const story = new EventSource("/api/happenings");
  for (const kind of KINDS) {
    story.addEventListener(kind, (event) => {
      const happening = JSON.parse(event.data);
      hear(happening);
      tell(happening);
      soon ||= setTimeout(() => {
        soon = 0;
        refresh();
      }, SOON_MS);
    });
  }
}

function remember(records) {
  for (const { at, place, visit } of records) hear({ kind: "decision", what: "made", at, place, facts: { visit } });
  recall(records);
}

async function start() {
  listen(); // first, so that nothing falls between the past and the present
  get("/api/decisions?limit=50").then(remember, () => {}); // its absence shows as the page being lost
  for (;;) {
    await refresh();
    await new Promise((done) => setTimeout(done, EVERY_MS));
  }
}

setInterval(show, 1_000);
start();
