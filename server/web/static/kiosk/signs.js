// The signs of /static/signs.svg by name; a test holds the two together.

const NAMES = new Set([
  "shoe", "jacket", "bag", "heart", "shirt", "glove", "trousers", "bell", "gift", "leaf", "sun", "umbrella", "cup", "star",
]);
const SVG = "http://www.w3.org/2000/svg";

/** The sign as an SVG element, or null for a name nobody drew. */
export function sign(name) {
  if (!NAMES.has(name)) return null;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "sign");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/static/signs.svg#${name}`);
  svg.append(use);
  return svg;
}
