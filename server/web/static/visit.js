// A visit's token as people see it; server/web/visit_label.py computes the same.

/** `v` and up to three digits: the CRC-32 of the token, modulo 1000. */
export function labelVisit(token) {
  let crc = 0xffffffff;
  for (const byte of new TextEncoder().encode(token)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return `v${((crc ^ 0xffffffff) >>> 0) % 1000}`;
}
