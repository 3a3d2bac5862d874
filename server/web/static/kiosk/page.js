// What the server tells this page: its display, site, language and texts.

import { inLanguage } from "../languages.js";

const told = JSON.parse(document.getElementById("page").textContent);

export const { site, display, screenClass, language } = told;

/** The text of a key in the page's language, its {names} filled in. */
export function t(key, values = {}) {
  return told.texts[key].replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** A content's own text in the wanted language, else the page's, else English, else whatever there is. */
export function pick(text, wanted = language) {
  return inLanguage(text, wanted) ?? inLanguage(text, language) ?? text.en ?? Object.values(text)[0] ?? "";
}
