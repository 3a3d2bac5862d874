// The running story: newest first, bounded, and still while somebody reads.

import { clockTime, language, number, pick, placeName, t } from "./page.js";
import { labelVisit } from "../visit.js";

const MAX_LINES = 80;
// Told by the plan alone, or at the line of their decision: as lines they would drown what matters.
const UNTOLD = new Set(["shelf.state", "shown.started", "shown.ended"]);
const ASIDE = new Set(["visit.left", "visit.ended", "item", "agent", "display"]); // said in a lower voice

const list = document.querySelector(".story ol");
const button = document.querySelector(".story button");
const waiting = [];
const decisions = new Set();
const shown = new Set(); // decisions whose screen said that the moment appeared
const unsettled = new Map(); // decision -> { line, untilMs }: a moment that was sent, and of which no screen has spoken
let paused = false;

button.addEventListener("click", () => {
  paused = !paused;
  if (!paused) waiting.splice(0).forEach((line) => put(line));
  label();
});

/** Tell a happening, or keep it while paused. */
export function tell(happening) {
  if (happening.kind === "shown" && happening.what === "started") appeared(happening.facts.decision);
  const line = makeLine(happening);
  if (!line) return;
  line.classList.add("new");
  if (!paused) return put(line);
  waiting.push(line);
  if (waiting.length > MAX_LINES) waiting.shift();
  label();
}

/** The decisions that were made before this page came, given newest first: they go below what was heard since. */
export function recall(records) {
  for (const record of records) {
    const line = makeLine({ kind: "decision", what: "made", at: record.at, place: record.place, facts: record });
    if (line) put(line, "append");
  }
}

/** Say of each moment that was sent whether it may still appear.  What a screen said is not taken back. */
export function settle(nowMs) {
  for (const [decision, { line, untilMs }] of unsettled) {
    if (!line.isConnected && !waiting.includes(line)) unsettled.delete(decision);
    else if (nowMs >= untilMs) befall(line, "unshown");
  }
}

function appeared(decision) {
  shown.add(decision);
  const found = unsettled.get(decision);
  if (found) befall(found.line, "shown");
  unsettled.delete(decision);
}

function befall(line, fate) {
  if (line.dataset.fate === fate) return;
  line.dataset.fate = fate;
  line.querySelector(".fate").textContent = t(`fate.${fate}`);
}

function put(line, where = "prepend") {
  document.querySelector(".nothing").hidden = true;
  list[where](line);
  while (list.children.length > MAX_LINES) list.lastChild.remove();
}

function label() {
  button.textContent = paused ? t("floor.resume", { n: waiting.length }) : t("floor.pause");
  button.setAttribute("aria-pressed", String(paused));
}

function makeLine({ kind, what, at, place, facts }) {
  if (UNTOLD.has(`${kind}.${what}`)) return null;
  const says = kind === "decision" ? sayDecision(facts) : say(kind, what, place, facts);
  if (!says) return null;
  const line = document.createElement("li");
  line.classList.toggle("aside", ASIDE.has(kind) || ASIDE.has(`${kind}.${what}`));
  const time = document.createElement("time");
  time.dateTime = at;
  time.textContent = clockTime(at);
  line.append(time, says);
  if (facts.outcome === "shown") follow(line, facts, Date.parse(at));
  return line;
}

/** Say at its line what becomes of a moment that was sent. */
function follow(line, { decision, shown_at, moment_s, context }, atMs) {
  const fate = document.createElement("span");
  fate.className = "fate";
  line.querySelector("p").append(fate);
  unsettled.set(decision, { line, untilMs: atMs + (moment_s ?? context?.rule?.moment?.ttl_s ?? 0) * 1000 });
  befall(line, "sent");
  if (shown_at || shown.has(decision)) appeared(decision);
}

function sayDecision({ decision, outcome, say: words }) {
  if (decisions.has(decision)) return null; // recalled and heard
  decisions.add(decision);
  const paragraph = document.createElement("p");
  const link = document.createElement("a");
  link.href = `/decisions/${encodeURIComponent(decision)}?lang=${language}`;
  link.className = "verdict";
  link.dataset.outcome = outcome;
  link.textContent = pick(words);
  paragraph.append(link);
  return paragraph;
}

function say(kind, what, place, facts) {
  const key = kind === "actuator" ? `story.actuator.${actuatorWord(what, facts)}` : `story.${kind}.${what}`;
  const values = { place: placeName(place), visit: facts.visit ? labelVisit(facts.visit) : "", result: facts.result ?? "" };
  const words = (facts.article && t(`${key}.article`, { ...values, article: articleName(facts) })) || t(key, values);
  if (!words) return null;
  const paragraph = document.createElement("p");
  paragraph.textContent = words;
  return paragraph;
}

function articleName({ article, quantity }) {
  return quantity > 1 ? `${number(quantity)} × ${pick(article)}` : pick(article);
}

function actuatorWord(what, facts) {
  if (facts.result) return facts.result === "done" ? "" : "refused";
  if (facts.link === "lost") return "lost";
  return facts.on === null ? "" : facts.on ? "on" : "off";
}
