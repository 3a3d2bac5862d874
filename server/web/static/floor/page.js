// What the server tells this page, and how things are written in its language and the store's time zone.

import { inLanguage } from "../languages.js";

const told = JSON.parse(document.getElementById("page").textContent);

export const { language, places } = told;
const timeFormat = new Intl.DateTimeFormat(language, { timeStyle: "medium", hourCycle: "h23", timeZone: told.timezone });
const units = { s: "second", min: "minute", h: "hour" };

/** The text of a key, its {names} filled in; undefined for a key nobody wrote. */
export function t(key, values = {}) {
  return told.texts[key]?.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** The site's or a rule's own text in the page's language. */
export function pick(text = {}) {
  return inLanguage(text, language) ?? text.en ?? Object.values(text)[0] ?? "";
}

/** The name of a zone, shelf, screen or lamp; its id where the site file has none. */
export function placeName(id) {
  return places[id] ?? id;
}

export function number(value, digits = 0) {
  return new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** A clock time in the store's zone. */
export function clockTime(when) {
  return timeFormat.format(new Date(when));
}

/** An age in the largest unit that says it. */
export function age(ms) {
  const [value, unit] = ms < 90_000 ? [ms / 1000, "s"] : ms < 5_400_000 ? [ms / 60_000, "min"] : [ms / 3_600_000, "h"];
  return new Intl.NumberFormat(language, { style: "unit", unit: units[unit], unitDisplay: "long", maximumFractionDigits: 0 }).format(value);
}
