// HMAC-SHA-256 in plain script: crypto.subtle is there on https and localhost only, and a store's screen may be on neither.
// It answers at once, too, so that orders keep their order.  Source: FIPS 180-4, RFC 2104.

const BLOCK = 64;
const PRIMES = primes(64);
const K = Uint32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
const START = Uint32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));

/** The code of `bytes` under `key` (at most 64 bytes), as lower-case hex. */
export function hmac(key, bytes) {
  const padded = new Uint8Array(BLOCK);
  padded.set(key);
  const inner = sha256(padded.map((byte) => byte ^ 0x36), bytes);
  const digest = sha256(padded.map((byte) => byte ^ 0x5c), inner);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** SHA-256 of two stretches of bytes, one behind the other. */
function sha256(first, second) {
  const length = first.length + second.length;
  const message = new Uint8Array(Math.ceil((length + 9) / BLOCK) * BLOCK);
  message.set(first);
  message.set(second, first.length);
  message[length] = 0x80;
  const view = new DataView(message.buffer);
  view.setUint32(message.length - 8, Math.floor(length / 2 ** 29));
  view.setUint32(message.length - 4, (length << 3) >>> 0);
  const state = Uint32Array.from(START);
  for (let at = 0; at < message.length; at += BLOCK) mix(state, view, at);
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => digest.setUint32(4 * i, word));
  return new Uint8Array(digest.buffer);
}

function mix(state, view, at) {
  const w = new Uint32Array(BLOCK);
  for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + 4 * i);
  for (let i = 16; i < BLOCK; i++) {
    const s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >>> 3);
    const s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >>> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < BLOCK; i++) {
    const t1 = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
    const t2 = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
}

function turn(word, bits) {
  return (word >>> bits) | (word << (32 - bits));
}

/** The first 32 bits behind the point, which is what the standard's constants are. */
function fraction(number) {
  return Math.floor((number % 1) * 2 ** 32);
}

function primes(count) {
  const found = [];
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime)) found.push(n);
  return found;
}
