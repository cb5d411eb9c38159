// What every page does: its list of keys, going to another page by keys, and asking before what can't be undone.

/** Whether a key press is meant for a field, and not for the page. */
export function isTyping(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return true;
  return event.target instanceof Element && event.target.closest("input:not([type=range], [type=checkbox]), select, textarea, dialog[open]") !== null;
}

let going = 0;

document.addEventListener("keydown", (event) => {
  if (isTyping(event)) return;
  if (event.key === "?") {
    document.getElementById("keys").showModal();
    event.preventDefault();
  } else if (event.key === "g") {
    going = event.timeStamp;
  } else if (going && event.timeStamp - going < 1500) {
    going = 0;
    const link = document.querySelector(`.top nav a[data-key="${CSS.escape(event.key)}"]`);
    if (link) {
      link.click();
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }
}, true);

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-action=keys]")) document.getElementById("keys").showModal();
});

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
}, true);
