// Results: controls that answer at once, the grid by keyboard, what is selected.
import { isTyping } from "./site.js";
import { step } from "./grid.js";
import "./view.js";

const form = document.querySelector("[data-controls]");
const pictures = document.getElementById("pictures");
const counted = document.querySelector("[data-count]");
const selected = new Set();
let lastSelected = null;
let asked = new AbortController();

function address(path) {
  const wanted = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    const field = form.elements[name];
    const initial = { rb: "0", sl: "0", low: "0", high: "1", order: "high", size: "120" }[name] ?? "";
    if (value !== "" && Number(value) + 0 !== Number(initial === "" ? NaN : initial) && value !== initial && field) wanted.set(name, value);
  }
  const text = wanted.toString();
  return text ? `${path}?${text}` : path;
}

async function ask(path, signal) {
  const answer = await fetch(path, { headers: { Accept: "text/html", "HX-Request": "true" }, signal });
  if (answer.headers.has("HX-Redirect")) location.assign(answer.headers.get("HX-Redirect"));
  return { ok: answer.ok, text: await answer.text() };
}

/** The completeness expected at the place of a slider, in the words of the server. */
function tellKept(slider) {
  const told = document.querySelector(`[data-kept="${CSS.escape(slider.name)}"]`);
  if (!told) return;
  const [share, low, high] = JSON.parse(told.dataset.table)[Math.round(slider.value * 100)].map((value) => (value / 10).toFixed(1));
  told.lastElementChild.textContent = `${share} % (${low} to ${high})`;
}

async function count(signal) {
  const answer = await ask(address("/results/count"), signal);
  counted.textContent = answer.ok ? answer.text : "–";
}

/** A control was moved: count at once; once it rests, show, too. */
async function changed({ atRest }) {
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  try {
    if (atRest) {
      const here = address("/results");
      const answer = await ask(here, signal);
      pictures.innerHTML = answer.text; // rendered and escaped by the server, also where it says what is wrong
      if (answer.ok) history.replaceState(null, "", here);
      select(null);
    }
    await new Promise((done) => setTimeout(done, 80));
    if (!signal.aborted) await count(signal);
  } catch (error) {
    if (error.name !== "AbortError") counted.textContent = "no answer";
  }
}

form.addEventListener("input", (event) => {
  const output = event.target.parentElement.querySelector("output");
  if (output) output.textContent = Number(event.target.value).toFixed(2);
  tellKept(event.target);
  changed({ atRest: false });
});
form.addEventListener("change", () => changed({ atRest: true }));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  changed({ atRest: true });
});
changed({ atRest: false });

const cells = () => [...pictures.querySelectorAll(".cell")];

function select(cell, { through = false } = {}) {
  if (cell === null) selected.clear();
  else {
    const all = cells();
    const at = all.indexOf(cell);
    const from = through && lastSelected !== null ? lastSelected : at;
    const on = through || !selected.has(cell.parentElement.dataset.cutout);
    for (const each of all.slice(Math.min(from, at), Math.max(from, at) + 1)) {
      const id = each.parentElement.dataset.cutout;
      if (on) selected.add(id);
      else selected.delete(id);
    }
    lastSelected = at;
  }
  for (const each of cells()) each.parentElement.classList.toggle("selected", selected.has(each.parentElement.dataset.cutout));
  document.querySelector("[data-selected]").textContent = selected.size;
  document.querySelector("[data-export=selected]").disabled = selected.size === 0;
}

document.addEventListener("keydown", (event) => {
  if (isTyping(event) || event.target.matches?.("input")) return;
  if (event.key === "n") return void document.querySelector("a[rel=next]")?.click();
  if (event.key === "/") {
    form.querySelector("details").open = true;
    form.elements.filter.focus();
    return event.preventDefault();
  }
  const all = cells();
  const at = all.indexOf(document.activeElement);
  if (step(event, all, at)) return;
  if (event.key === " " && at >= 0) {
    select(all[at], { through: event.shiftKey });
    event.preventDefault();
  }
});

pictures.addEventListener("click", (event) => {
  const cell = event.target.closest(".cell");
  if (!cell || !(event.ctrlKey || event.metaKey || event.shiftKey)) return;
  select(cell, { through: event.shiftKey });
  event.preventDefault();
});

document.querySelector("[data-chosen]").addEventListener("submit", (event) => {
  event.target.elements.ids.value = [...selected].join("\n");
});
