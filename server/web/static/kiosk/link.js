// One MQTT connection over the server's own WebSocket.  Reconnecting is main.js's business, so that each has its own session.

import { display, site } from "./page.js";
import { opened } from "./trust.js";

const KEEPALIVE_S = 4;
const SILENT_MS = 9_000; // no word at all, not even to our pings: server or broker is gone, or the line; dark within ten seconds
const LOOK_MS = 500;
const TELL_AFTER_MS = 1_000; // one word for a whole flood
const CONNECT_WITHIN_MS = 8_000;
const ROOT = `tacet/1/${site}`;
let refused = 0; // messages that the server had not signed for us
const STATE = `${ROOT}/display/${display}/$state`;

/**
 * Hold a connection until it ends; resolves to the WebSocket's close code.
 * `handlers.ready(publish)` is called when it stands, `handlers.message(type, data, expires)` for each message that the server
 * signed for us, `handlers.silent()` when nobody has said a word for so long.
 */
export function hold(clock, handlers) {
  return new Promise((ended) => {
    const session = crypto.randomUUID();
    const since = utc(clock);
    const state = (name) => envelope(clock, "tacet.display.state.v1", { state: name, session, since, refused });
    let closeCode = 1006;
    let heard = performance.now();
    const client = mqtt.connect(address(), {
      protocolVersion: 4,
      clientId: display,
      clean: true,
      keepalive: KEEPALIVE_S,
      connectTimeout: CONNECT_WITHIN_MS,
      reconnectPeriod: 0,
      timerVariant: "native", // the other one makes a worker out of a blob, which our policy forbids
      will: { topic: STATE, payload: state("lost"), qos: 1, retain: true },
      createWebsocket: (url, protocols) => {
        const socket = new WebSocket(url, protocols);
        socket.addEventListener("close", (event) => (closeCode = event.code));
        return socket;
      },
    });
    client.on("connect", async () => {
      try {
        await client.subscribeAsync(
          ["base/set", "moment/set", "moment/clear"].map((name) => `${ROOT}/display/${display}/${name}`)
            .concat(`${ROOT}/privacy/visit-ended`),
          { qos: 1 },
        );
      } catch {
        return client.end(true); // the connection went while asking
      }
      client.publish(STATE, state("ready"), { qos: 1, retain: true });
      handlers.ready((type, data) => client.publish(`${ROOT}/display/${display}/shown`, envelope(clock, type, data), { qos: 1 }));
    });
    let telling = 0;
    const tellRefused = () => {
      telling = 0;
      client.publish(STATE, state("ready"), { qos: 1, retain: true });
    };
    client.on("packetreceive", () => (heard = performance.now()));
    const watch = setInterval(() => {
      if (performance.now() - heard < SILENT_MS) return;
      handlers.silent();
      client.end(true);
    }, LOOK_MS);
    client.on("message", (topic, payload) => {
      const message = parse(topic, payload);
      if (message) return handlers.message(message.type, message.data, message.expires);
      document.body.dataset.refused = refused += 1;
      telling ||= setTimeout(tellRefused, TELL_AFTER_MS);
    });
    client.on("error", () => client.end(true)); // the close that follows tells
    client.on("close", () => {
      clearInterval(watch);
      clearTimeout(telling);
      client.end(true);
      ended(closeCode);
    });
  });
}

function address() {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/mqtt`;
}

function envelope(clock, type, data) {
  return JSON.stringify({
    specversion: "1.0",
    id: crypto.randomUUID(),
    source: `/tacet/${site}/display/${display}`,
    type,
    time: utc(clock),
    datacontenttype: "application/json",
    data,
  });
}

/** The best guess of now: the server's clock where it is known, this machine's where not. */
function utc(clock) {
  return new Date(clock.trusted ? clock.now() : Date.now()).toISOString();
}

/** The message, where the server signed it for us; whatever else comes is refused and counted. */
function parse(topic, payload) {
  try {
    const message = opened(topic, payload);
    return message && typeof message.data === "object" ? message : null;
  } catch {
    return null; // no JSON
  }
}
