// The one moment a screen may hold: taken only when it is ours, newer, of our class and not over; gone when its time is.

import { display, screenClass } from "./page.js";
import { lower, raise } from "./stage.js";

const CLASSES = ["public", "semi", "private"];

/** At most one moment; `report(receipt)` gets the proof of play. */
export class Moment {
  #clock;
  #fence;
  #report;
  #now = null; // { moment, card, timer }: all that is known of anybody, and in memory only

  constructor(clock, fence, report) {
    this.#clock = clock;
    this.#fence = fence;
    this.#report = report;
  }

  /** A moment/set arrived. */
  set(moment) {
    if (!this.#clock.trusted || moment.display !== display) return;
    const remainingMs = Math.min(Date.parse(moment.issued_at) + moment.ttl_ms - this.#clock.now(), moment.ttl_ms);
    if (!(remainingMs > 0) || !mayShow(moment.screen_class) || !this.#fence.pass(moment.version)) return;
    this.end("replaced");
    const card = raise(moment, remainingMs);
    const at = this.#clock.now();
    this.#now = { moment, card, timer: setTimeout(() => this.end("ttl"), remainingMs) };
    this.#report(receipt(moment, "started", at, null));
  }

  /** A moment/clear arrived: of one decision, of one visit, or of whatever stands here. */
  clear(order) {
    if (order.display !== display || !this.#fence.pass(order.version)) return;
    const all = !order.decision && !order.visit;
    const own = this.#now?.moment;
    if (own && (all || own.decision === order.decision || (own.visit && own.visit === order.visit))) this.end("clear");
  }

  /** These visits are over. */
  forget(visits) {
    if (this.#now && visits.includes(this.#now.moment.visit)) this.end("clear");
  }

  /** Fade to base and wipe what was known. */
  end(endedBy) {
    if (!this.#now) return;
    const { moment, card, timer } = this.#now;
    this.#now = null;
    clearTimeout(timer);
    lower(card);
    this.#report(receipt(moment, "ended", this.#clock.now(), endedBy));
  }
}

/** Whether content that may go up to `allowed` may be here; an unknown class may be nowhere. */
function mayShow(allowed) {
  return CLASSES.includes(allowed) && CLASSES.indexOf(allowed) <= CLASSES.indexOf(screenClass);
}

function receipt(moment, phase, atMs, endedBy) {
  return {
    display,
    decision: moment.decision,
    content: moment.content,
    phase,
    at: new Date(atMs).toISOString(),
    cause_at: moment.cause_at,
    ended_by: endedBy,
  };
}
