// Sharing out: asks whose items are, where not everybody is to label everything. No document.
const RENEWED_MS = 120_000; // the service lets go after 300 s

export class Holds {
  #asked = new Map(); // by item: when it was asked for
  #answered = new Set();
  #address;

  /** @param address where holds are asked for, or null where everybody labels everything */
  constructor(address) {
    this.#address = address;
  }

  /** Those of some items that it is time to ask for. */
  due(items) {
    const since = Date.now() - RENEWED_MS;
    return this.#address ? items.filter(({ item }) => (this.#asked.get(item) ?? 0) < since) : [];
  }

  /** Whether the answer is there for all of some items. */
  areKnown(items) {
    return !this.#address || items.every(({ item }) => this.#answered.has(item));
  }

  /** Ask for items; returns the ids of those that are others'. Without a connection all may be labelled. */
  async refused(items) {
    const ids = items.map(({ item }) => item);
    ids.forEach((id) => this.#asked.set(id, Date.now()));
    const refused = await this.#ask(ids);
    ids.forEach((id) => this.#answered.add(id));
    return refused;
  }

  async #ask(ids) {
    try {
      const answer = await fetch(this.#address, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify({ items: ids }),
        signal: AbortSignal.timeout(10_000),
      });
      if (!answer.ok) return new Set();
      const mine = new Set((await answer.json()).items);
      return new Set(ids.filter((id) => !mine.has(id)));
    } catch {
      return new Set();
    }
  }

  /** Ask for an item anew when it is seen again. */
  forget(id) {
    this.#asked.delete(id);
    this.#answered.delete(id);
  }
}
