// A click on the head of a table sorts it, numbers by size and texts by letter. A second click turns the order around.
const UNITS = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, "%": 1 };

function valueOf(cell) {
  const text = cell.textContent.trim().replaceAll("\u00a0", " ");
  const match = text.match(/^([+-]?\d[\d.]*) ?(B|kB|MB|GB|%)?$/);
  if (text === "same") return 0;
  return match ? parseFloat(match[1]) * (UNITS[match[2]] ?? 1) : text.toLowerCase();
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === typeof b) return a.localeCompare(b);
  return typeof a === "number" ? -1 : 1;
}

function sort(table, head, column) {
  const descending = head.getAttribute("aria-sort") === "ascending";
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compare(valueOf(a.cells[column]), valueOf(b.cells[column])) * (descending ? -1 : 1));
  table.tBodies[0].append(...rows);
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
}

for (const table of document.querySelectorAll(".sortable table")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, head, column));
    head.append(button);
  });
}
