// Tonight: streaks as they come, judged by keys. Presses are kept in this browser until the service has them.
import { isTyping } from "./site.js";
import { step } from "./grid.js";
import "./view.js";

const list = document.getElementById("streaks");
const { night, show, person } = list.dataset;
const most = Number(list.dataset.most);
const words = new Map(); // by cutout, the verdict that stands, null for none; whole with the first news
let isWhole = false;
const mine = JSON.parse(list.dataset.mine); // [cutout, event], the last is undone first
const live = document.querySelector("[data-live]");
const undoing = document.querySelector("[data-undo]");
const kept = `verdicts of ${person}`;
let owed = JSON.parse(localStorage.getItem(kept) ?? "[]");
let sending = false;

const cards = () => [...list.children];
const cardOf = (cutout) => cards().find((card) => card.dataset.cutout === cutout);

function keep() {
  localStorage.setItem(kept, JSON.stringify(owed));
  list.dataset.owed = owed.length;
}

/** 32 hex digits that nobody has had; randomUUID is not there over plain http. */
function fresh() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function mark(cutout, verdict) {
  words.set(cutout, verdict?.word ?? null);
  const card = cardOf(cutout);
  if (card) {
    if (verdict) card.dataset.verdict = verdict.word;
    else delete card.dataset.verdict;
    card.querySelector("[data-by]").textContent = verdict ? `${verdict.word} by ${verdict.person}` : "";
    for (const button of card.querySelectorAll("[data-word]")) button.setAttribute("aria-pressed", button.dataset.word === verdict?.word);
  }
  tally();
}

function tally() {
  if (undoing) undoing.disabled = mine.length === 0;
  if (!isWhole) return;
  const counts = { open: 0, accepted: 0, rejected: 0, all: words.size };
  for (const word of words.values()) counts[word ?? "open"] += 1;
  for (const [word, count] of Object.entries(counts)) document.querySelector(`[data-number=${word}]`).textContent = count.toLocaleString("en");
  const meant = [...words].filter(([, word]) => show === "all" || (word ?? "open") === show);
  const later = meant.filter(([cutout]) => !cardOf(cutout)).length;
  document.querySelector("[data-later]").hidden = later === 0 || meant.length > later;
  document.querySelector("[data-number=later]").textContent = later.toLocaleString("en");
  document.querySelector("[data-nothing]").hidden = list.children.length > 0 || later > 0;
  document.title = `${counts.open ? `(${counts.open}) ` : ""}Tonight · deep-asteroids`;
}

function judge(card, word) {
  const event = fresh();
  const { cutout } = card.dataset;
  owed.push({ event, cutout, word });
  mine.push([cutout, event]);
  keep();
  mark(cutout, { word, person });
  send();
}

function undo() {
  const last = mine.pop();
  if (!last) return;
  const [cutout, undoes] = last;
  owed.push({ event: fresh(), cutout, word: "undone", undoes });
  keep();
  mark(cutout, null);
  cardOf(cutout)?.querySelector(".cell").focus();
  send();
}

/** Send what is owed, one after the other; what gets no answer is sent again. */
async function send() {
  if (sending) return;
  sending = true;
  while (owed.length) {
    const { event, ...given } = owed[0];
    try {
      const answer = await fetch(`/v1/verdicts/${event}`, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given) });
      if (answer.status >= 500 || answer.status === 429 || answer.status === 401) throw new Error(answer.status === 401 ? "log in again" : "no answer");
      const said = await answer.json();
      owed.shift();
      keep();
      if (answer.ok && !owed.some((other) => other.cutout === given.cutout)) mark(given.cutout, said.standing);
      if (!answer.ok) tell(`${given.word} was refused for ${given.cutout}: ${said.detail}`);
      else if (owed.length === 0) tell("");
    } catch (error) {
      tell(`${owed.length} not sent yet (${error.message}): kept in this browser, and sent again.`);
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
  sending = false;
}

function tell(sentence) {
  const fault = document.querySelector("[data-fault]");
  fault.textContent = sentence;
  fault.hidden = sentence === "";
}

/** New streaks go to the end, so that nothing moves under the hand. */
async function add(ids) {
  const wanted = show === "accepted" || show === "rejected" ? [] : ids.filter((cutout) => !cardOf(cutout) && (show === "all" || !words.get(cutout)));
  const room = Math.max(0, most - cards().filter((card) => show === "all" || !card.dataset.verdict).length);
  for (let start = 0; start < Math.min(room, wanted.length); start += 60) {
    const asked = new URLSearchParams(wanted.slice(start, Math.min(start + 60, room)).map((cutout) => ["id", cutout]));
    const answer = await fetch(`/tonight/streaks?${asked}`, { headers: { Accept: "text/html", "HX-Request": "true" } });
    if (answer.ok) list.insertAdjacentHTML("beforeend", await answer.text()); // rendered and escaped by the server
  }
  tally();
}

const events = new EventSource(`/tonight/events${night ? `?night=${night}` : ""}`);
events.addEventListener("open", () => (live.textContent = "live"));
events.addEventListener("error", () => (live.textContent = events.readyState === EventSource.CLOSED ? "not live: log in again" : "not live: trying again"));
events.addEventListener("news", (event) => {
  const { streaks, verdicts } = JSON.parse(event.data);
  for (const cutout of streaks) if (!words.has(cutout)) words.set(cutout, null);
  isWhole = true;
  for (const [cutout, verdict] of Object.entries(verdicts)) {
    if (!owed.some((other) => other.cutout === cutout)) mark(cutout, verdict);
  }
  add(streaks);
});

document.addEventListener("keydown", (event) => {
  if (isTyping(event)) return;
  const cells = cards().map((card) => card.querySelector(".cell"));
  const at = cells.indexOf(document.activeElement?.closest("li")?.querySelector(".cell"));
  if (step(event, cells, at)) return;
  if (event.key === "u" && undoing) return undo();
  const word = { a: "accepted", x: "rejected" }[event.key];
  if (!word || !undoing || at < 0) return;
  judge(cards()[at], word);
  const next = cards().find((card, place) => place > at && !card.dataset.verdict) ?? cards().find((card) => !card.dataset.verdict);
  next?.querySelector(".cell").focus();
});

list.addEventListener("click", (event) => {
  const button = event.target.closest("[data-word]");
  if (button) judge(button.closest("li"), button.dataset.word);
});
undoing?.addEventListener("click", undo);
document.querySelector("[data-window]").addEventListener("change", (event) => event.currentTarget.submit());

for (const { cutout, word } of owed) mark(cutout, word === "undone" ? null : { word, person });
keep();
tally();
send();
