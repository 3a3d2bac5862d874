// One MQTT connection over the server's own WebSocket.  Reconnecting is main.js's business, so that each has its own session.

import { display, site } from "./page.js";

const KEEPALIVE_S = 15;
const CONNECT_WITHIN_MS = 8_000;
const ROOT = `tacet/1/${site}`;
const STATE = `${ROOT}/display/${display}/$state`;

/**
 * Hold a connection until it ends; resolves to the WebSocket's close code.
 * `handlers.ready(publish)` is called when it stands, `handlers.message(type, data, expires)` for each message.
 */
export function hold(clock, handlers) {
  return new Promise((ended) => {
    const session = crypto.randomUUID();
    const state = (name) => envelope(clock, "tacet.display.state.v1", { state: name, session, since: utc(clock) });
    let closeCode = 1006;
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
    client.on("message", (_topic, payload) => {
      const message = parse(payload);
      if (message) handlers.message(message.type, message.data, message.expires);
    });
    client.on("error", () => client.end(true)); // the close that follows tells
    client.on("close", () => {
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

function parse(payload) {
  try {
    const message = JSON.parse(new TextDecoder().decode(payload));
    return message && typeof message.data === "object" ? message : null;
  } catch {
    return null; // not ours; the broker's ACL lets only the server write here
  }
}
