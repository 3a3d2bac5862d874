// The kiosk: pair, connect, show; when the link goes, base content goes on and nothing personal stays.

import { Clock } from "./clock.js";
import { Fence, isNewer } from "./fence.js";
import { hold } from "./link.js";
import { Moment } from "./moment.js";
import { display } from "./page.js";
import { askToPair, pairingState } from "./pairing.js";
import { Base, showCode, showLink } from "./stage.js";
import { fetchKey } from "./trust.js";

const TAKEN_OVER = 4009;
const ASK_MS = 2_000;
const MAX_BACKOFF_MS = 10_000;
const MAX_UNSENT = 20;

const clock = new Clock((trusted) => {
  document.body.dataset.clock = trusted ? "trusted" : "unknown";
  if (!trusted) moment.end("link");
});
const base = new Base();
const unsent = []; // receipts made while the link is down: ids and times, no content
let publish = null;
let baseVersion = [-1, -1];

const moment = new Moment(clock, new Fence(display), (receipt) => {
  unsent.push(receipt);
  if (unsent.length > MAX_UNSENT) unsent.shift();
  sendReceipts();
});

const receivers = {
  "tacet.base.set.v1": (data) => {
    if (data.display !== display || isNewer(baseVersion, data.version)) return;
    baseVersion = data.version;
    base.show(data.items);
  },
  "tacet.moment.set.v1": (data) => moment.set(data),
  "tacet.moment.clear.v1": (data) => moment.clear(data),
  "tacet.visit.ended.v1": (data) => moment.forget(data.visits),
};

/** Only what shows somebody something can come too late: what takes it away is fenced, or names a visit that is over, and may
 * seem old only because the server's clock was set back. */
function receive(type, data, expires) {
  const isOver = expires && clock.trusted && Date.parse(expires) < clock.now();
  if (isOver && type === "tacet.moment.set.v1") return;
  receivers[type]?.(data);
}

function sendReceipts() {
  while (publish && unsent.length) publish("tacet.moment.shown.v1", unsent.shift());
}

/** Show a code until the owner has approved it. */
async function pair() {
  for (;;) {
    const state = await pairingState();
    if (state?.paired) return showCode(null);
    const code = state && (state.code ?? (await askToPair())?.code);
    if (code) {
      showLink("pairing");
      showCode(code);
    } else {
      showLink("offline");
    }
    await pause(ASK_MS);
  }
}

/** Another window has the display: wait until it is gone. */
async function standBy() {
  showLink("standby");
  for (;;) {
    await pause(ASK_MS);
    const state = await pairingState();
    if (state && !state.connected) return;
  }
}

async function run() {
  let backoffMs = 250;
  for (;;) {
    await pair();
    if (await fetchKey()) clock.ask();
    const code = await hold(clock, {
      ready: (send) => {
        publish = send;
        backoffMs = 250;
        showLink("ready");
        sendReceipts();
      },
      message: receive,
      silent: () => moment.end("link"),
    });
    publish = null;
    moment.end("link");
    if (code === TAKEN_OVER) {
      await standBy();
      continue;
    }
    showLink("offline");
    await pause(backoffMs * (0.5 + Math.random() / 2));
    backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
  }
}

function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

clock.run();
run();
