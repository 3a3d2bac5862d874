// Is this browser the display?  The cookie that answers is out of reach of scripts; the server is asked.

import { display } from "./page.js";

const URL = `/api/displays/${display}/pairing`;
const WITHIN_MS = 4_000;

/** `{ paired, code, connected }`, or null while the server is away. */
export function pairingState() {
  return ask("GET");
}

/** `{ paired, code }` with a code to show, or null. */
export function askToPair() {
  return ask("POST");
}

async function ask(method) {
  try {
    const answer = await fetch(URL, { method, cache: "no-store", signal: AbortSignal.timeout(WITHIN_MS) });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
