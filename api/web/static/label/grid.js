// The grid as a state: a page of items, one class for all of them, and the exceptions. No document, no network.
export const LEFT_OUT = "";

export class Grid {
  start = 0;
  cursor = 0;
  #marks = new Map(); // by item: a class, or LEFT_OUT
  #past = []; // what undo takes back, latest last

  /**
   * @param classes names of the classes
   * @param columns, rows of a page
   */
  constructor({ classes, columns, rows }) {
    this.classes = classes;
    this.columns = columns;
    this.size = columns * rows;
    this.preset = classes[0];
    this.items = [];
  }

  get page() {
    return this.items.slice(this.start, this.start + this.size);
  }

  get ahead() {
    return this.items.slice(this.start + this.size, this.start + 2 * this.size);
  }

  get isDone() {
    return this.start >= this.items.length;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  /** The class that confirming gives an item: what was marked, what it has, or the preset. */
  classOf(item) {
    return this.#marks.get(item.item) ?? item.label ?? this.preset;
  }

  isMarked(item) {
    return this.#marks.has(item.item);
  }

  /** Walk by cells; the edges of the page hold. */
  move(across, down) {
    const [to, last] = [this.cursor + across + down * this.columns, this.page.length - 1];
    const row = (cell) => Math.floor(cell / this.columns);
    if (to >= 0 && to <= last) this.cursor = to;
    else if (down > 0 && row(this.cursor) < row(last)) this.cursor = last;
  }

  moveTo(index) {
    this.cursor = Math.max(0, Math.min(index, this.page.length - 1));
  }

  /** Give the cell under the cursor a class; the one that it would have anyway is no mark. */
  give(name) {
    const item = this.page[this.cursor];
    if (!item) return;
    this.#past.push({ kind: "mark", item: item.item, before: this.#marks.get(item.item) });
    this.#setMark(item.item, name === (item.label ?? this.preset) ? undefined : name);
  }

  /** The next class: of two, the other one. */
  toggle(index) {
    this.cursor = index;
    const item = this.page[index];
    const at = this.classes.indexOf(this.classOf(item));
    this.give(this.classes[(at + 1) % this.classes.length]);
  }

  leaveOut() {
    this.give(LEFT_OUT);
  }

  setPreset(name) {
    if (name === this.preset) return;
    this.#past.push({ kind: "preset", before: this.preset });
    this.preset = name;
  }

  /**
   * Confirm the page and go to the next; returns what is to be said: [{item, class, isMarked}].
   * Of items that have a label already only the changes are.
   */
  confirm() {
    const said = this.page
      .map((item) => ({ item: item.item, class: this.classOf(item), isMarked: this.isMarked(item) }))
      .filter(({ class: name }, n) => name !== LEFT_OUT && name !== this.page[n].label);
    this.#past.push({ kind: "page", start: this.start, cursor: this.cursor, said });
    this.start = Math.min(this.start + this.size, this.items.length); // what is added later is next
    this.cursor = 0;
    return said;
  }

  /** Take back the latest step, any number of times; returns what had been said in it: that of confirm. */
  undo() {
    const step = this.#past.pop();
    if (!step) return [];
    if (step.kind === "mark") {
      this.#setMark(step.item, step.before);
      this.moveTo(Math.max(0, this.page.findIndex((item) => item.item === step.item)));
    } else if (step.kind === "preset") this.preset = step.before;
    else {
      this.start = step.start;
      this.cursor = step.cursor;
      return step.said;
    }
    return [];
  }

  #setMark(item, name) {
    if (name === undefined) this.#marks.delete(item);
    else this.#marks.set(item, name);
  }
}
