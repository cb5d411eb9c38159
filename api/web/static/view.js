// How cutouts are shown: inverted, with a contrast, under a lens. Kept in this browser.
import { isTyping } from "./site.js";

const CONTRASTS = ["linear", "asinh", "zscale"];
const view = { invert: false, lens: false, contrast: "linear", ...kept() };
const lens = document.querySelector(".lens");

function kept() {
  try {
    return JSON.parse(localStorage.getItem("view")) ?? {};
  } catch {
    return {};
  }
}

function show() {
  const root = document.documentElement;
  root.dataset.contrast = view.contrast;
  root.toggleAttribute("data-invert", view.invert);
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", view[button.dataset.view]);
  for (const button of document.querySelectorAll("[data-contrast]:not(html)")) button.setAttribute("aria-pressed", button.dataset.contrast === view.contrast);
  if (lens && !view.lens) lens.hidden = true;
  localStorage.setItem("view", JSON.stringify(view));
}

function change(what) {
  if (what === "contrast") view.contrast = CONTRASTS[(CONTRASTS.indexOf(view.contrast) + 1) % CONTRASTS.length];
  else view[what] = !view[what];
  show();
  if (view.lens) magnify(document.activeElement?.querySelector?.("img.cutout"));
}

/** Show a picture in the lens, with a point of it, in shares of its sides, in the middle. */
function magnify(picture, x = 0.5, y = 0.5) {
  if (!lens || !view.lens || !picture) return;
  const image = lens.querySelector("img");
  if (image.src !== picture.src) image.src = picture.src;
  const box = picture.getBoundingClientRect();
  lens.hidden = false;
  const size = lens.offsetWidth;
  const right = box.right + 12 + size < innerWidth;
  lens.style.left = `${Math.max(8, right ? box.right + 12 : box.left - size - 12)}px`;
  lens.style.top = `${Math.min(Math.max(8, box.top + box.height / 2 - size / 2), innerHeight - size - 8)}px`;
  image.style.transformOrigin = `${x * 100}% ${y * 100}%`;
}

/** What can't be shown says so, instead of the browser's sign for a broken picture. */
function withoutPicture(picture) {
  const said = document.createElement("span");
  said.className = "cutout none";
  said.textContent = picture.alt || "no picture";
  picture.replaceWith(said);
}

const STAYING = "img.cutout[src]:not([data-label] *)"; // in labelling one picture follows another in the same place
document.addEventListener("error", (event) => event.target.matches?.(STAYING) && withoutPicture(event.target), true);
for (const picture of document.querySelectorAll(STAYING)) if (picture.complete && picture.naturalWidth === 0) withoutPicture(picture);

document.addEventListener("pointermove", (event) => {
  if (!view.lens || event.pointerType === "touch") return;
  const picture = event.target.closest?.(".cell")?.querySelector("img.cutout");
  if (!picture) return void (lens.hidden = true);
  const box = picture.getBoundingClientRect();
  magnify(picture, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
});

document.addEventListener("focusin", (event) => magnify(event.target.querySelector?.("img.cutout")));

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-view], button[data-contrast]");
  if (!button) return;
  if (button.dataset.view) return change(button.dataset.view);
  view.contrast = button.dataset.contrast;
  show();
});

document.addEventListener("keydown", (event) => {
  if (isTyping(event)) return;
  const what = { i: "invert", c: "contrast", l: "lens" }[event.key];
  if (what) change(what);
});

show();
