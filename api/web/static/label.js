// Labelling by hand: the grid and one by one. What is pressed becomes events, which the outbox keeps and sends.
import { isTyping } from "./site.js";
import "./view.js";
import { Grid, LEFT_OUT } from "./label/grid.js";
import { Holds } from "./label/holds.js";
import { Outbox, newId } from "./label/outbox.js";
import { Single } from "./label/single.js";

const PRELOADED = 12;
const LONGEST_WAIT_MS = 2000;
const panel = document.querySelector("[data-label]");
const at = (name) => panel.querySelector(`[data-${name}]`);
const { base, user, mode, kind } = panel.dataset;
const classes = JSON.parse(panel.dataset.classes);
const asked = new URLSearchParams(JSON.parse(panel.dataset.asked));
const isGrid = mode === "grid";
const work = isGrid ? new Grid({ classes, columns: 8, rows: 6 }) : new Single({ classes });
const outbox = new Outbox({ address: `${base}/events`, prefix: `labels:${user}:${base}`, changed: showSent });
const holds = new Holds(panel.hasAttribute("data-shared") ? `${base}/holds` : null);
const known = new Set(); // items that this page has had
const seenWithScore = new Set();
const eventOf = new Map(); // by item: the ids of the events on it, latest last
let scores = null; // by item, once they were asked for
let areScoresShown = false;
let shown = 0; // how many items, from the first, have been on the screen
let holding = null; // the promise of what is being asked
let isWaiting = false; // for the holds of the page that comes
let others = 0; // items that were left to others
let labelled = Number(panel.dataset.labelled);

/** Ask for what is to be labelled; what was here before is not taken in again. */
async function fetchItems() {
  at("told").textContent = "Loading…";
  const answer = await fetch(`${base}/queue?${asked}`, { headers: { Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok) {
    const problem = await answer?.json().catch(() => null);
    at("told").textContent = problem?.detail ?? "The service does not answer. Reload to try again.";
    return;
  }
  const { items, unscored } = await answer.json();
  const found = items.filter(({ item }) => !known.has(item));
  found.forEach(({ item }) => known.add(item));
  work.items.push(...found);
  others = 0;
  await hold();
  at("told").textContent = "";
  if (at("unscored")) at("unscored").hidden = unscored === 0;
  if (at("count")) at("count").textContent = unscored.toLocaleString("en");
  draw();
}

/** Make sure of what is shown and of what comes next; what others look at is left to them. */
function hold() {
  holding ??= takeHolds().finally(() => (holding = null));
  return holding;
}

async function takeHolds() {
  for (let wanted; (wanted = holds.due(upcoming())).length > 0; ) {
    const refused = await holds.refused(wanted);
    work.items = work.items.filter(({ item }, n) => n < shown || !refused.has(item) || leave(item));
  }
}

const page = () => (isGrid ? work.page : [work.item].filter(Boolean));
const upcoming = () => [...page(), ...(isGrid ? work.ahead : work.next(2 * PRELOADED))];

function leave(id) {
  known.delete(id);
  holds.forget(id);
  others += 1;
  return false;
}

function say(said) {
  const now = new Date().toISOString();
  const events = said.map(({ item, class: name, isMarked }) => {
    const id = newId();
    eventOf.set(item, [...(eventOf.get(item) ?? []), id]);
    const seen = { mode, queue: kind, scores: seenWithScore.has(item), by: isMarked ? "press" : "preset" };
    return { id, item, class: name, at: now, seen };
  });
  labelled += said.filter(({ item }) => !labelOf(item)).length;
  if (events.length > 0) outbox.add(events);
}

function takeBack(said) {
  const now = new Date().toISOString();
  const events = said.map(({ item }) => ({ id: newId(), undoes: eventOf.get(item).pop(), at: now }));
  labelled -= said.filter(({ item }) => !labelOf(item)).length;
  if (events.length > 0) outbox.add(events);
}

/** The label that an item came with. */
const labelOf = (id) => work.items.find(({ item }) => item === id)?.label;

function act(step) {
  if (isWaiting) return;
  const wasDone = work.isDone;
  step();
  if (work.isDone && !wasDone) outbox.flush().then(fetchItems);
  if (work.isDone || holds.areKnown(page())) {
    draw();
    const left = others;
    hold().then(() => others > left && draw());
  } else goOnOnceHeld();
}

/** A hand that is faster than the answer waits for it; not for long, or a lost connection would stop it. */
async function goOnOnceHeld() {
  isWaiting = at("work").hidden = true;
  await Promise.race([hold(), new Promise((done) => setTimeout(done, LONGEST_WAIT_MS))]);
  isWaiting = false;
  draw();
  if (work.isDone) outbox.flush().then(fetchItems);
}

const confirmPage = () => work.page.length > 0 && act(() => say(work.confirm()));
const undo = () => work.canUndo && act(() => takeBack(work.undo()));
const label = (name) => act(() => (isGrid ? work.give(name) : say(work.give(name))));

// ---- what is shown

function draw() {
  shown = Math.max(shown, (isGrid ? work.start : work.at) + page().length);
  (isGrid ? drawGrid : drawSingle)();
  for (const button of panel.querySelectorAll("[data-preset]")) button.setAttribute("aria-pressed", button.dataset.preset === work.preset);
  at("undo").disabled = !work.canUndo;
  at("labelled").textContent = labelled.toLocaleString("en");
  at("left").textContent = (work.items.length - (isGrid ? work.start : work.at)).toLocaleString("en");
  at("done").hidden = !work.isDone;
  at("others").hidden = others === 0;
  at("work").hidden = work.isDone;
}

function drawGrid() {
  const page = work.page;
  [...at("cells").children].forEach((cell, index) => drawCell(cell, page[index], index));
  const focused = at("cells").children[work.cursor]?.firstElementChild;
  if (focused && (document.activeElement === document.body || at("cells").contains(document.activeElement))) focused.focus({ preventScroll: true });
  work.ahead.forEach(preload);
}

function drawCell(cell, item, index) {
  cell.hidden = !item;
  if (!item) return;
  const [button, image, name, score] = ["button", "img", ".name", ".score"].map((what) => cell.querySelector(what));
  const given = work.classOf(item);
  if (cell.dataset.item !== item.item) {
    cell.dataset.item = item.item;
    image.src = item.picture;
  }
  cell.dataset.class = given === LEFT_OUT ? "out" : classes.indexOf(given);
  cell.classList.toggle("marked", work.isMarked(item));
  button.tabIndex = index === work.cursor ? 0 : -1;
  name.textContent = given === LEFT_OUT ? "left out" : given;
  score.textContent = scoreOf(item);
  button.setAttribute("aria-label", `${index + 1}: ${name.textContent}${score.textContent && `, score ${score.textContent}`}`);
}

function drawSingle() {
  const item = work.item;
  if (!item) return;
  at("picture").src = item.picture;
  at("name").textContent = item.name;
  at("score").textContent = scoreOf(item);
  for (const button of panel.querySelectorAll("[data-give]")) button.setAttribute("aria-pressed", button.dataset.give === item.label);
  const next = work.next(PRELOADED);
  [...at("next").children].forEach((image, n) => {
    image.hidden = !next[n];
    if (next[n]) image.src = next[n].picture;
  });
}

function preload({ picture }) {
  const image = new Image();
  image.fetchPriority = "low"; // behind what is shown, and what is said
  image.src = picture;
}

function scoreOf({ item }) {
  if (!areScoresShown) return "";
  seenWithScore.add(item);
  const score = scores[item];
  return score === undefined ? "–" : score.toFixed(3);
}

async function showScores() {
  if (scores === null && asked.get("version")) {
    const answer = await fetch(`${base}/scores?version=${encodeURIComponent(asked.get("version"))}`, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) return void (at("told").textContent = "No scores: the service does not answer.");
    ({ scores } = await answer.json());
  }
  areScoresShown = !areScoresShown && scores !== null;
  at("scores").setAttribute("aria-pressed", areScoresShown);
  draw();
}

function showSent({ waiting, refused, state, detail, kept }) {
  const words = {
    sent: "all sent",
    sending: `sending ${waiting}`,
    offline: `no connection: ${waiting} ${kept ? "kept in this browser, sent" : "KEPT ONLY WHILE THIS PAGE IS OPEN, sent"} again by itself`,
    ended: `your session has ended: ${waiting} kept in this browser until you have logged in again`,
    refused: `the service refuses ${refused}: ${detail}`,
  };
  at("outbox").textContent = words[state];
  at("outbox").dataset.state = state;
  at("login").hidden = state !== "ended";
  at("refused").hidden = state !== "refused";
}

// ---- what the hand does

const KEYS = {
  ArrowRight: () => work.move?.(1, 0),
  ArrowLeft: () => work.move?.(-1, 0),
  ArrowDown: () => work.move?.(0, 1),
  ArrowUp: () => work.move?.(0, -1),
  Home: () => work.moveTo?.(0),
  End: () => work.moveTo?.(Infinity),
};

document.addEventListener("keydown", (event) => {
  if (isTyping(event) || event.target.closest?.(".toolbar, .top")) return;
  const digit = /^Digit([0-9])$/.exec(event.code)?.[1] ?? /^Numpad([0-9])$/.exec(event.code)?.[1];
  const handler = handlerOf(event, digit);
  if (!handler) return;
  event.preventDefault();
  handler();
});

function handlerOf(event, digit) {
  if (digit === "0") return isGrid ? () => act(() => work.leaveOut()) : null;
  if (digit !== undefined) {
    const name = classes[Number(digit) - 1];
    if (name === undefined) return null;
    return event.shiftKey && isGrid ? () => act(() => work.setPreset(name)) : () => label(name);
  }
  if (event.key === "Backspace") return undo;
  if (event.key === "s") return showScores;
  if (isGrid && KEYS[event.key]) return () => act(KEYS[event.key]);
  if (isGrid && event.key === "Enter") return event.repeat ? () => {} : confirmPage;
  if (event.key === " ") return isGrid ? () => act(() => work.toggle(work.cursor)) : () => act(() => work.skip());
  return null;
}

panel.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { preset, give } = button.dataset;
  if (preset !== undefined) act(() => work.setPreset(preset));
  else if (give !== undefined) label(give);
  else if (button.closest("[data-cells]")) act(() => work.toggle([...at("cells").children].indexOf(button.parentElement)));
  else if (button.matches("[data-confirm-page]")) confirmPage();
  else if (button.matches("[data-undo]")) undo();
  else if (button.matches("[data-skip]")) act(() => work.skip());
  else if (button.matches("[data-scores]")) showScores();
  else if (button.matches("[data-again]")) outbox.again();
  else if (button.matches("[data-discard]") && window.confirm("Give up the labels that the service refuses?")) outbox.discard();
  else return;
  document.activeElement.blur(); // or Enter would press it again, where it is to confirm the page
  draw();
});

/** A picture that can't be shown says so in its place. */
for (const [kind, isBroken] of [["error", true], ["load", false]]) {
  panel.addEventListener(kind, ({ target }) => target.matches("img.cutout") && target.parentElement.classList.toggle("broken", isBroken), true);
}

for (const select of panel.querySelectorAll("form select")) select.addEventListener("change", () => select.form.requestSubmit());

outbox.flush().then(fetchItems); // what waits from before is said first, or the queue would hold it again
