// Which of several texts to show.

/** The text in the wanted language, else in another script of the same language; undefined where there is neither. */
export function inLanguage(text, wanted = "") {
  const own = wanted.split("-")[0];
  return text[wanted] ?? text[Object.keys(text).find((tag) => tag.split("-")[0] === own)];
}
