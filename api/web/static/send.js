// Cutouts that are shown, selected or of a job, put into a data set of a labelling project.
import { fill } from "./fill.js";

const MOST = 5000;
const dialog = document.getElementById("send");
const form = dialog?.querySelector("form");
let projects = [];
let wanted = {};
let opening = Promise.resolve();

const at = (name) => form.querySelector(`[data-${name}]`);

/** What a button means: the ids of all that is selected, a filter in words, or a job. */
function meant(button) {
  if (button.dataset.send === "selected") {
    const cutouts = [...document.querySelectorAll(".selected[data-cutout]")].map((cell) => cell.dataset.cutout);
    return { wanted: { cutouts }, words: cutouts.length === 1 ? "1 cutout" : `${cutouts.length.toLocaleString("en")} cutouts` };
  }
  if (button.dataset.job) return { wanted: { job: button.dataset.job, limit: MOST }, words: `the cutouts of job ${button.dataset.job}` };
  return { wanted: { filter: button.dataset.filter, limit: MOST }, words: `all that are like this, ${MOST.toLocaleString("en")} at most` };
}

async function open(button) {
  const found = meant(button);
  wanted = found.wanted;
  at("what").textContent = found.words;
  at("put").disabled = false; // pressed before the projects are known, it waits for them
  projects = [];
  dialog.showModal();
  if (wanted.cutouts?.length === 0) return tell("Nothing is selected: Space selects a cutout, Shift and Space from the last one on.");
  tell("Looking for your projects…");
  const answer = await fetch("/v1/projects", { headers: { Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok) return tell("The service does not answer.");
  projects = (await answer.json()).projects.filter(({ role }) => role === "admin");
  form.elements.project.replaceChildren(...projects.map(({ id, name }) => new Option(name, id)));
  if (projects.length === 0) return tell("You are an admin of no project yet; make one first: ", "/projects", "Labelling");
  tell("");
  showDatasets();
}

function showDatasets() {
  const project = projects.find(({ id }) => id === form.elements.project.value);
  const known = project.datasets.map(({ id, name, items }) => new Option(`${name} (${items.toLocaleString("en")})`, id));
  form.elements.dataset.replaceChildren(...known, new Option("a new one", ""));
  showName();
}

function showName() {
  at("new").hidden = form.elements.dataset.value !== "";
}

async function put() {
  at("put").disabled = true;
  await opening;
  if (projects.length === 0) return; // and why is told
  tell("Putting them in…");
  const project = form.elements.project.value;
  const dataset = form.elements.dataset.value || (await made(project));
  if (dataset) {
    const path = `/projects/${project}/datasets/${dataset}`;
    const taken = await fill(`/v1${path}/items`, wanted);
    tell(`${taken.told} `, path, "Show");
  }
  at("put").disabled = false;
}

/** A new data set's id; null where there is none, and why is told. */
async function made(project) {
  const answer = await fetch(`/v1/projects/${project}/datasets`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ name: form.elements.name.value }),
  }).catch(() => null);
  const said = (await answer?.json().catch(() => null)) ?? {};
  if (!answer?.ok) {
    tell(said.detail ?? "The service does not answer.");
    return null;
  }
  projects.find(({ id }) => id === project).datasets.push({ id: said.id, name: said.name, items: 0 });
  form.elements.dataset.prepend(new Option(said.name, said.id, true, true)); // pressed again, the same one is filled
  showName();
  return said.id;
}

function tell(words, address, title) {
  at("told").textContent = words;
  if (!address) return;
  const link = document.createElement("a");
  link.href = address;
  link.textContent = title;
  at("told").append(link);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-send]");
  if (!button) return;
  opening = open(button).then(() => {
    if (projects.length === 0) at("put").disabled = true;
  });
});
if (form) {
  form.elements.project.addEventListener("change", showDatasets);
  form.elements.dataset.addEventListener("change", showName);
  form.addEventListener("submit", (event) => {
    if (!event.submitter?.matches("[data-put]")) return;
    event.preventDefault();
    put();
  });
}
