// Whose word counts: the server signs what it orders, and the time it tells, with the key of this display.
// The key comes over the display's own cookie and lives in memory only.  docs/protocol.md has the rule.

import { hmac } from "./hmac.js";
import { display } from "./page.js";

const WITHIN_MS = 4_000;
const MEMBER = ',"mac":"';
const TAIL = /^,"mac":"([a-z0-9: -]*)"\}$/;
const text = new TextEncoder();

let own = null; // { user, key }

/** Ask for this display's key; whether there is one now.  Asked at every connection, since it may have been replaced. */
export async function fetchKey() {
  try {
    const answer = await fetch(`/api/displays/${display}/key`, { cache: "no-store", signal: AbortSignal.timeout(WITHIN_MS) });
    if (answer.ok) {
      const { user, key } = await answer.json();
      own = { user, key: Uint8Array.from(key.match(/../g), (hex) => parseInt(hex, 16)) };
    } else {
      own = null;
    }
  } catch {
    // The server is away; the key that we have stays good.
  }
  return own !== null;
}

/** The message that the server signed for this display on this topic; null where it did not. */
export function opened(topic, payload) {
  const came = new TextDecoder().decode(payload);
  const at = came.lastIndexOf(MEMBER);
  const tail = at > 0 && TAIL.exec(came.slice(at));
  if (!tail || !own) return null;
  const said = `${came.slice(0, at)}}`;
  return tail[1].split(" ").includes(`${own.user}:${codeOf(`${topic}\n${said}`)}`) ? JSON.parse(said) : null;
}

/** Where to ask for the time, so that only an answer to this very question counts; null without a key. */
export function timeQuestion() {
  if (!own) return null;
  const nonce = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { url: `/time?who=${own.user}&nonce=${nonce}`, nonce, user: own.user };
}

/** Whether the server itself gave this answer. */
export function isTimeSigned(question, answer) {
  return own !== null && answer.mac === codeOf(`\ntime\n${question.user}\n${question.nonce}\n${answer.utc_us}`);
}

function codeOf(words) {
  return hmac(own.key, text.encode(words)).slice(0, 32);
}
