// One item at a time, as a state: a class, or skipped, and any number of steps back. No document, no network.
export class Single {
  at = 0;
  #past = [];

  constructor({ classes }) {
    this.classes = classes;
    this.items = [];
  }

  get item() {
    return this.items[this.at];
  }

  get isDone() {
    return this.at >= this.items.length;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  next(count) {
    return this.items.slice(this.at + 1, this.at + 1 + count);
  }

  /** Label the item and go on; returns what is to be said, as Grid.confirm does. */
  give(name) {
    if (this.isDone) return [];
    const said = name === this.item.label ? [] : [{ item: this.item.item, class: name, isMarked: true }];
    this.#past.push(said);
    this.at += 1;
    return said;
  }

  skip() {
    if (this.isDone) return;
    this.#past.push([]);
    this.at += 1;
  }

  /** One step back; returns what had been said in it. */
  undo() {
    if (this.at === 0) return [];
    this.at -= 1;
    return this.#past.pop() ?? [];
  }
}
