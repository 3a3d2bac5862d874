// Header, footer and what is wrong: every number with its state, and a way out of every trouble.

import { clockTime, number, t } from "./page.js";

const NOT_READERS = new Set([
  "mt-sics", "modbus-weight", "line-weight", "hlk-ld2410", "tfmini", "lcus-relay", "modbus-relay", "escpos-label", "scale", "actuator",
  "outbox", "clock", "orders", "certificate", // parts of the gateway, listed while they warn
]);
const SMOOTH_MS = 10_000;
const rates = []; // { ms, events } of the last seconds

/** The header's and footer's numbers. */
export function showFigures(status, summary, nowMs) {
  const readers = status.agents.flatMap((agent) => agent.devices).filter((device) => !NOT_READERS.has(device.kind));
  const ready = readers.filter((device) => device.state === "ready").length;
  document.querySelector(".readers").textContent = t("floor.readers", { ready: number(ready), all: number(readers.length) });
  const p50 = summary.latency_ms?.p50;
  const latency = p50 === null || p50 === undefined ? t("floor.latency_none") : t("floor.latency", { ms: number(p50, 1) });
  document.querySelector(".latency").textContent = latency;
  const stats = status.agents.map((agent) => agent.stats).filter(Boolean);
  const sum = (name) => stats.reduce((total, one) => total + one[name], 0);
  put("reads", number(sum("reads_per_s")));
  put("presence", number(status.zones.reduce((total, zone) => total + zone.items + zone.visits, 0)));
  put("events", number(eventRate(summary.events, nowMs), 1));
  put("outbox", number(sum("outbox")));
  put("shown", number(summary.moments_shown));
  put("silent", number(summary.stayed_silent));
}

function put(name, words) {
  const figure = document.querySelector(`[data-figure="${name}"]`);
  if (figure.textContent !== words) figure.textContent = words;
}

function eventRate(events, nowMs) {
  rates.push({ nowMs, events });
  while (rates.length > 2 && nowMs - rates[0].nowMs > SMOOTH_MS) rates.shift();
  const passedS = (nowMs - rates[0].nowMs) / 1000;
  return passedS > 0 ? Math.max(0, events - rates[0].events) / passedS : 0;
}

/** What is wrong in the store, worst first, each with the next step. */
export function troublesOf(status) {
  const troubles = status.broker === "ok" ? [] : [bad(t("floor.broker_lost"))];
  for (const agent of status.agents) {
    const values = { id: agent.agent, time: agent.since ? clockTime(agent.since) : "" };
    if (agent.state === "lost") troubles.push(bad(t("floor.agent_lost", values)));
    else if (agent.state === "disconnected") troubles.push(warn(t("floor.agent_disconnected", values)));
    else if (agent.state === "unknown") troubles.push(warn(t("floor.agent_unknown", values)));
    else agent.devices.forEach((device) => troubles.push(...troubleOf(device)));
  }
  return troubles;
}

/** Show troubles; untouched while they are the same, so that nobody is told twice. */
export function showTroubles(troubles) {
  const list = document.querySelector(".trouble");
  const now = JSON.stringify(troubles);
  if (list.dataset.now === now) return;
  list.dataset.now = now;
  list.replaceChildren(...troubles.map(({ grade, words }) => {
    const item = document.createElement("li");
    item.dataset.grade = grade;
    item.textContent = words;
    return item;
  }));
}

/** A lost device is one trouble; what it warned of before may be why. */
function troubleOf(device) {
  const alarm = device.alarm ? [warn(t("floor.device_alarm", { id: device.id, alarm: device.alarm }))] : [];
  return device.state === "lost" ? [warn(deviceLost(device)), ...alarm] : alarm;
}

function deviceLost(device) {
  const reason = device.reason ?? t("floor.device_check");
  return t("floor.device_lost", { id: device.id, time: clockTime(device.since), reason });
}

export const bad = (words) => ({ grade: "bad", words });
const warn = (words) => ({ grade: "warn", words });
