// What was pressed, kept in this browser until the service has said that it has it.
const MOST_AT_ONCE = 500; // events of one request
const LONGEST_WAIT_MS = 30_000;

export class Outbox {
  #address;
  #prefix;
  #changed;
  #last = 0;
  #sending = null;
  #refused = new Map(); // by key, what the service said
  #tries = 0;
  #timer = 0;
  #state = "sent";
  #detail = "";
  #unkept = new Map(); // where this browser keeps nothing: lost with the page, which says so

  /**
   * @param address where events are posted
   * @param prefix of the keys in localStorage: of one person and one data set, so that nobody sends another's
   * @param changed called with {waiting, refused, state, detail, kept}: events that wait and that were refused; state
   *   is sent, sending, offline, ended or refused, detail what the service said; kept is whether this browser keeps them
   */
  constructor({ address, prefix, changed }) {
    this.#address = address;
    this.#prefix = `${prefix}:`;
    this.#changed = changed;
    addEventListener("online", () => this.flush());
    addEventListener("storage", () => this.#tell()); // another window of this site has sent, or waits, too
  }

  get waiting() {
    return this.#count(this.#keys().filter((key) => !this.#refused.has(key)));
  }

  /** Keep events, which are sent in the order in which they came, however often the page is left meanwhile. */
  add(events) {
    this.#last = Math.max(this.#last + 1, Date.now());
    const key = `${this.#prefix}${String(this.#last).padStart(15, "0")}:${newId().slice(0, 8)}`;
    try {
      localStorage.setItem(key, JSON.stringify(events));
    } catch {
      this.#unkept.set(key, events);
    }
    this.flush();
  }

  /**
   * Send what waits; ends when all is sent, or some of it can't be now. What was sent before and never answered is
   * sent again: the service knows an event by its id.
   */
  flush() {
    this.#sending ??= this.#run().finally(() => {
      this.#sending = null;
      if (["sent", "refused"].includes(this.#state) && this.waiting > 0) this.flush(); // added in between
    });
    return this.#sending;
  }

  /** Try once more what was refused. */
  again() {
    this.#refused.clear();
    return this.flush();
  }

  /** Give up what was refused. */
  discard() {
    [...this.#refused.keys()].forEach((key) => this.#remove(key));
    return this.again();
  }

  async #run() {
    clearTimeout(this.#timer);
    let [state, detail] = ["sent", ""];
    let most = MOST_AT_ONCE;
    for (let keys; ["sent", "refused"].includes(state) && (keys = this.#next(most)).length > 0; ) {
      this.#tell("sending", "");
      [state, detail] = await this.#send(keys.flatMap((key) => this.#read(key)));
      if (state === "sent") keys.forEach((key) => this.#remove(key));
      if (state === "refused" && keys.length === 1) this.#refused.set(keys[0], detail);
      most = state === "refused" ? 1 : most; // all or none of a request is taken: one by one the others are
    }
    this.#tries = state === "offline" ? this.#tries + 1 : 0;
    if (state === "offline") this.#timer = setTimeout(() => this.flush(), Math.min(500 * 2 ** this.#tries, LONGEST_WAIT_MS));
    if (state === "sent" && this.#refused.size > 0) [state, detail] = ["refused", [...this.#refused.values()][0]];
    this.#tell(state, detail);
  }

  async #send(events) {
    const body = JSON.stringify({ events });
    try {
      const answer = await fetch(this.#address, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body,
        priority: "high",
        keepalive: body.length < 60_000, // goes on when the page is left; at most 64 KiB, or it fails at once
        signal: AbortSignal.timeout(20_000),
      });
      const said = await answer.text(); // read to its end, or its request counts as one under way for a while
      if (answer.ok) return ["sent", ""];
      if (answer.status === 401) return ["ended", ""];
      if (answer.status === 429 || answer.status >= 500) return ["offline", ""];
      return ["refused", detailOf(said) ?? String(answer.status)];
    } catch {
      return ["offline", ""];
    }
  }

  #tell(state = this.#state, detail = this.#detail) {
    [this.#state, this.#detail] = [state, detail];
    const refused = this.#count([...this.#refused.keys()]);
    this.#changed({ waiting: this.waiting, refused, state, detail, kept: this.#unkept.size === 0 });
  }

  /** As many of the oldest entries as go into one request, those left aside that were refused. */
  #next(most) {
    let count = 0;
    const open = this.#keys().filter((key) => !this.#refused.has(key));
    return open.filter((key, n) => (count += this.#read(key).length) <= most || n === 0);
  }

  #count(keys) {
    return keys.reduce((sum, key) => sum + this.#read(key).length, 0);
  }

  #keys() {
    const kept = Object.keys(localStorage).filter((key) => key.startsWith(this.#prefix));
    return [...kept, ...this.#unkept.keys()].sort();
  }

  #read(key) {
    return this.#unkept.get(key) ?? JSON.parse(localStorage.getItem(key) ?? "[]"); // another tab may have sent it
  }

  #remove(key) {
    this.#refused.delete(key);
    this.#unkept.delete(key);
    localStorage.removeItem(key);
  }
}

/** What a problem says in words. */
function detailOf(said) {
  try {
    return JSON.parse(said).detail;
  } catch {
    return null;
  }
}

/** 32 hex digits by chance; crypto.randomUUID is not there without https. */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
