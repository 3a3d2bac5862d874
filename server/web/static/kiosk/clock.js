// The server's time as far as this page knows it.  Without a trusted clock a moment's end is unknown, so none is shown.

import { isTimeSigned, timeQuestion } from "./trust.js";

const SAMPLES = 6;
const EVERY_MS = 60_000;
const AGAIN_MS = 5_000;
const WITHIN_MS = 3_000;
const GOOD_FOR_MS = 180_000;
const MAX_ROUND_TRIP_MS = 1_000;
const MAX_STEP_MS = 1_000;

/** Estimates the offset from /time; `onTrust(bool)` is called when trust comes or goes. */
export class Clock {
  #offsetMs = 0;
  #goodUntil = -Infinity;
  #wall = Date.now() - performance.now();
  #onTrust;
  #trusted = false;
  #wake = () => {};

  constructor(onTrust) {
    this.#onTrust = onTrust;
  }

  /** UTC milliseconds by the server's clock. */
  now() {
    return performance.now() + this.#offsetMs;
  }

  get trusted() {
    return performance.now() < this.#goodUntil;
  }

  /** Sample at once: what it takes to ask has just become known. */
  ask() {
    this.#wake();
  }

  /** Sample now, then each minute; never returns. */
  async run() {
    for (;;) {
      const good = await this.#sync();
      await this.#wait(good ? EVERY_MS : AGAIN_MS);
    }
  }

  async #sync() {
    const samples = [];
    for (let i = 0; i < SAMPLES; i++) {
      const sample = await measure();
      if (sample) samples.push(sample);
    }
    const good = samples.filter((sample) => sample.highestMs - sample.lowestMs <= MAX_ROUND_TRIP_MS);
    if (good.length) {
      this.#offsetMs = agreed(good);
      this.#goodUntil = performance.now() + GOOD_FOR_MS;
      this.#wall = Date.now() - performance.now();
    }
    this.#tell();
    return good.length > 0; // late answers tell nothing: a server that was busy is asked again soon
  }

  /** Wait, but watch: a machine that slept stops performance.now() and not the day. */
  async #wait(ms) {
    let asked = false;
    for (const until = performance.now() + ms; performance.now() < until && !asked; ) {
      await new Promise((done) => {
        this.#wake = () => done((asked = true));
        setTimeout(done, 1_000);
      });
      const step = Math.abs(Date.now() - performance.now() - this.#wall);
      if (step > MAX_STEP_MS) {
        this.#goodUntil = -Infinity;
        this.#tell();
        return;
      }
      this.#tell();
    }
  }

  #tell() {
    if (this.trusted === this.#trusted) return;
    this.#trusted = this.trusted;
    this.#onTrust(this.#trusted);
  }
}

/**
 * The server read its clock between question and answer, so each sample bounds the offset, and the bounds of all hold
 * together.  Where they allow for this machine's own clock, that is taken: no difference can be told.
 */
function agreed(samples) {
  const lowest = Math.max(...samples.map((sample) => sample.lowestMs));
  const highest = Math.min(...samples.map((sample) => sample.highestMs));
  const own = performance.timeOrigin;
  return lowest <= own && own <= highest ? own : (lowest + highest) / 2;
}

/** One question to the server; null where it does not answer. */
async function measure() {
  const question = timeQuestion();
  if (!question) return null; // not paired yet, or the server is away
  const asked = performance.now();
  try {
    const answer = await fetch(question.url, { cache: "no-store", signal: AbortSignal.timeout(WITHIN_MS) });
    const told = await answer.json();
    if (!isTimeSigned(question, told)) return null; // somebody else's clock
    const utcMs = told.utc_us / 1000;
    const [sent, came] = onTheWire(answer.url, asked) ?? [asked, performance.now()];
    return { lowestMs: utcMs - came, highestMs: utcMs - sent };
  } catch {
    return null; // the server is away; the link says so too
  }
}

/** When the browser's network side sent and heard: a busy page notes an answer late, which would set its clock back. */
function onTheWire(url, asked) {
  const timing = performance.getEntriesByName(url, "resource").findLast((entry) => entry.requestStart >= asked);
  performance.clearResourceTimings(); // a kiosk runs for months; the list of what it loaded must not
  return timing?.responseStart ? [timing.requestStart, timing.responseStart] : null;
}
