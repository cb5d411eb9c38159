// Files that are dropped or chosen, sent a few at a time. The service knows a file by its name and bytes, so a
// part of which no answer came is sent again.
const MOST_FILES = 100;
const MOST_BYTES = 4 * 1024 * 1024;
const AT_ONCE = 2;
const LONGEST_WAIT_MS = 20_000;
const MOST_TRIES = 8;

class Upload {
  #box;
  #address;
  #whole;
  #queue = [];
  #running = 0;
  #stopped = false;
  #sum = { files: 0, sent: 0, new: 0, known: 0, refused: 0 };

  /** @param box an element with the address in data-upload; with data-whole, all files are one request */
  constructor(box) {
    this.#box = box;
    this.#address = box.dataset.upload;
    this.#whole = "whole" in box.dataset;
    const files = this.#at("files");
    files.addEventListener("change", () => this.#add([...files.files].map((file) => ({ file, name: file.name }))).then(() => (files.value = "")));
    for (const type of ["dragenter", "dragover"]) box.addEventListener(type, (event) => this.#over(event, true));
    for (const type of ["dragleave", "drop"]) box.addEventListener(type, (event) => this.#over(event, false));
    box.addEventListener("drop", async (event) => this.#add(await dropped(event.dataTransfer)));
    this.#at("stop").addEventListener("click", () => this.#stop());
    this.#at("reload").addEventListener("click", () => location.assign(this.#box.dataset.next ?? location.pathname));
    this.#at("again").addEventListener("click", () => this.#resume());
    addEventListener("beforeunload", (event) => this.#running > 0 && event.preventDefault());
  }

  #at = (name) => this.#box.querySelector(`[data-${name}]`);

  #over(event, is) {
    event.preventDefault();
    this.#box.classList.toggle("over", is);
  }

  async #add(files) {
    if (files.length === 0) return this.#tell("No file came.");
    this.#sum.files += files.length;
    this.#queue.push(...(this.#whole ? [files] : parts(files)));
    this.#resume();
  }

  #resume() {
    this.#stopped = false;
    this.#at("progress").hidden = false;
    this.#at("after").hidden = true;
    this.#draw();
    while (this.#running < AT_ONCE && this.#queue.length > 0) this.#work();
  }

  #stop() {
    this.#stopped = true;
    this.#tell("Stopping…");
  }

  async #work() {
    this.#running += 1;
    try {
      while (!this.#stopped && this.#queue.length > 0) await this.#send(this.#queue.shift());
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#ended();
    }
  }

  async #send(part) {
    for (let tries = 0; ; tries += 1) {
      const answer = await this.#post(part);
      if (answer.status === 200 || answer.status === 201) return this.#took(part, await answer.json());
      if (answer.status !== 0 && answer.status !== 429 && answer.status < 500) return this.#refuse(part, answer);
      if (this.#stopped || tries === MOST_TRIES) return this.#giveUp(part, "The service does not answer; what is missing can be sent again.");
      this.#tell("No answer; sending again…");
      await new Promise((done) => setTimeout(done, Math.min(500 * 2 ** tries, LONGEST_WAIT_MS)));
    }
  }

  async #post(part) {
    const body = new FormData();
    for (const { file, name } of part) body.append("files", file, name);
    try {
      return await fetch(this.#address, { method: "POST", body, headers: { Accept: "application/json" } });
    } catch {
      return { status: 0 };
    }
  }

  #took(part, taken) {
    for (const name of ["new", "known", "refused"]) this.#sum[name] += taken[name];
    this.#sum.sent += part.length;
    if (taken.project) this.#box.dataset.next = `/projects/${taken.project}`;
    this.#list(taken.faults.map(({ name, fault }) => `${name}: ${fault}`));
    this.#draw();
  }

  async #refuse(part, answer) {
    const problem = await answer.json().catch(() => ({}));
    const detail = String(problem.detail ?? `refused (${answer.status})`);
    if (answer.status === 401) return this.#giveUp(part, "Your session has ended. Log in again in another window, then send the rest.");
    this.#sum.sent += part.length;
    this.#sum.refused += part.length;
    this.#list([part.length === 1 ? `${part[0].name}: ${detail}` : `${part.length} files from ${part[0].name} on: ${detail}`]);
    this.#draw();
  }

  #giveUp(part, why) {
    this.#queue.unshift(part);
    this.#stopped = true;
    this.#tell(why);
    this.#box.dataset.why = why;
  }

  #ended() {
    const left = this.#sum.files - this.#sum.sent;
    this.#at("progress").hidden = true;
    this.#at("after").hidden = false;
    this.#at("again").hidden = left === 0;
    const why = left > 0 ? `${this.#box.dataset.why ?? "Stopped."} ${count(left)} files were not sent. ` : "Done. ";
    delete this.#box.dataset.why;
    this.#tell(why + this.#words());
  }

  #draw() {
    const bar = this.#box.querySelector("progress");
    bar.max = this.#sum.files || 1;
    bar.value = this.#sum.sent;
    this.#tell(`${count(this.#sum.sent)} of ${count(this.#sum.files)} files sent: ${this.#words()}`);
  }

  #words() {
    const { new: fresh, known, refused } = this.#sum;
    return `${count(fresh)} new${known ? `, ${count(known)} there already` : ""}${refused ? `, ${count(refused)} not taken in` : ""}.`;
  }

  #list(lines) {
    if (lines.length === 0) return;
    const refused = this.#at("refused");
    refused.hidden = false;
    refused.querySelector("summary").textContent = `${count(this.#sum.refused)} not taken in`;
    for (const line of lines) {
      const entry = document.createElement("li");
      entry.textContent = line;
      refused.querySelector("ul").append(entry);
    }
  }

  #tell(words) {
    this.#at("told").textContent = words;
  }
}

const count = (number) => number.toLocaleString("en");

/** Files in groups of one request each; a large one alone. */
function parts(files) {
  const found = [];
  let bytes = Infinity;
  for (const each of files) {
    if (bytes + each.file.size > MOST_BYTES || found.at(-1).length === MOST_FILES) {
      found.push([]);
      bytes = 0;
    }
    found.at(-1).push(each);
    bytes += each.file.size;
  }
  return found;
}

/** What was dropped: files, and those in folders, under their paths. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length === 0) return [...transfer.files].map((file) => ({ file, name: file.name }));
  return (await Promise.all(entries.map(inside))).flat();
}

async function inside(entry) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    return [{ file, name: entry.fullPath.replace(/^\//, "") }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed)); // a hundred at most, each time
    if (some.length === 0) return found;
    for (const each of some) found.push(...(await inside(each)));
  }
}

document.querySelectorAll("[data-upload]").forEach((box) => new Upload(box));
for (const type of ["dragover", "drop"]) document.addEventListener(type, (event) => event.preventDefault()); // beside the box: nothing is opened
