// A grid of pictures by keyboard.

/** How many cells a row has. */
function across(cells) {
  const top = (cell) => cell.parentElement.getBoundingClientRect().top;
  const first = top(cells[0]);
  const next = cells.findIndex((cell) => top(cell) > first + 1);
  return next < 0 ? cells.length : next;
}

/** Follow an arrow key from the cell that has the focus, `at`, -1 for none; whether the key was one. */
export function step(event, cells, at) {
  if (cells.length === 0) return false;
  const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across(cells), ArrowUp: -across(cells) }[event.key];
  if (by === undefined) return false;
  const to = at < 0 ? 0 : at + by;
  if (to >= 0 && to < cells.length) cells[to].focus();
  event.preventDefault();
  return true;
}
