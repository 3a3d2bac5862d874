// The last version applied.  It is all that this page ever stores: no content, no person.

/** Refuses what is not newer, also after a reload. */
export class Fence {
  #key;
  #last;

  constructor(display) {
    this.#key = `tacet-fence-${display}`;
    this.#last = read(this.#key);
  }

  /** Whether `version` is newer than all before; it becomes the last. */
  pass(version) {
    if (!isNewer(version, this.#last)) return false;
    this.#last = version;
    try {
      localStorage.setItem(this.#key, JSON.stringify(version));
    } catch {
      // Storage may be switched off; then the fence lasts as long as the page.
    }
    return true;
  }
}

/** [epoch, counter] against [epoch, counter]. */
export function isNewer([epoch, counter], [lastEpoch, lastCounter]) {
  return epoch > lastEpoch || (epoch === lastEpoch && counter > lastCounter);
}

function read(key) {
  try {
    const stored = JSON.parse(localStorage.getItem(key));
    if (Array.isArray(stored) && stored.length === 2 && stored.every(Number.isSafeInteger)) return stored;
  } catch {
    // as above
  }
  return [-1, -1];
}
