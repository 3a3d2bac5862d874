// What is on the screen: base content going round, and over it at most one moment, which leaves nothing behind.

import { pick, t } from "./page.js";
import { sign } from "./signs.js";

const FADE_MS = 200;
const RING = 15;
const SVG = "http://www.w3.org/2000/svg";

const baseElement = document.querySelector(".base");
const pairingElement = document.querySelector(".pairing");

/** Base content: each page for its seconds, round and round. */
export class Base {
  #pages = [];
  #at = 0;
  #timer = 0;

  show(pages) {
    this.#pages = pages;
    this.#at = 0;
    this.#draw();
  }

  #draw() {
    clearTimeout(this.#timer);
    const page = this.#pages[this.#at];
    if (!page) return baseElement.replaceChildren();
    baseElement.replaceChildren(...[page.picture && sign(page.picture), line("say", pick(page.text))].filter(Boolean));
    const note = pick(page.note ?? {});
    if (note) baseElement.append(line("note", note));
    baseElement.classList.remove("away");
    if (this.#pages.length > 1) this.#timer = setTimeout(() => this.#turn(), page.seconds * 1000);
  }

  #turn() {
    baseElement.classList.add("away");
    this.#timer = setTimeout(() => {
      this.#at = (this.#at + 1) % this.#pages.length;
      this.#draw();
    }, 250);
  }
}

/** Put a moment's card over the base; returns its element, which is in the document when this returns. */
export function raise(moment, remainingMs) {
  const card = document.createElement("article");
  card.className = "moment";
  card.lang = moment.language;
  const picture = moment.picture && sign(moment.picture);
  if (picture) card.append(picture);
  else card.classList.add("plain");
  const because = document.createElement("div");
  because.className = "because";
  because.append(line("why", pick(moment.because, moment.language)), ring(remainingMs));
  card.append(line("say", pick(moment.text, moment.language)), because);
  document.body.append(card);
  baseElement.inert = true;
  return card;
}

/** Fade a card to base; nothing of it is left after 200 ms. */
export function lower(card) {
  card.classList.add("away");
  baseElement.inert = false;
  setTimeout(() => card.remove(), FADE_MS);
}

/** Show a pairing code, or hide it with null. */
export function showCode(code) {
  pairingElement.hidden = code === null;
  baseElement.hidden = code !== null;
  if (code === null) return;
  pairingElement.querySelector(".code").textContent = code;
  pairingElement.querySelector(".command").textContent = t("kiosk.pair_command", { code });
}

/** The corner dot for the staff: `ready` hides it. */
export function showLink(state) {
  const dot = document.querySelector(".dot");
  document.body.dataset.link = state;
  dot.hidden = state === "ready" || state === "starting" || state === "pairing";
  dot.title = dot.hidden ? "" : t(state === "standby" ? "kiosk.standby" : "kiosk.offline");
}

function line(className, text) {
  const paragraph = document.createElement("p");
  paragraph.className = className;
  paragraph.textContent = text;
  return paragraph;
}

function ring(remainingMs) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "ring");
  svg.setAttribute("viewBox", "0 0 36 36");
  svg.setAttribute("aria-hidden", "true");
  for (const name of ["whole", "left"]) {
    const circle = document.createElementNS(SVG, "circle");
    for (const [key, value] of Object.entries({ class: name, cx: 18, cy: 18, r: RING, pathLength: 1 })) {
      circle.setAttribute(key, value);
    }
    svg.append(circle);
  }
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  svg.lastChild.animate([{ strokeDashoffset: 0 }, { strokeDashoffset: 1 }], {
    duration: remainingMs,
    easing: still ? "steps(6)" : "linear",
    fill: "forwards",
  });
  return svg;
}
