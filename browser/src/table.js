// The table of classes: what was there (rows) against what was said (columns), over the whole run; a click on a cell
// lists what it counts.

import { make } from "./controls.js";
import { cellName } from "./list.js";
import { listedRuns } from "./review.js";
import { listOf } from "./showing.js";

const MOST_CLASSES = 40; // that are drawn, those with the most errors

export function createTable(panel) {
  const body = make("div", { class: "table-scroll" }),
    said = make("p", { class: "help" });
  const element = make("section", { class: "table-pane", "aria-label": "table of classes" }, said, body);
  body.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-cell]")?.dataset.cell;
    if (cell !== undefined)
      panel.set({ cell: panel.state.cell === Number(cell) ? null : Number(cell), listOpen: true });
  });
  return { panel, element, body, said, drawn: null, cell: null, whose: "" };
}

export function drawTable(table) {
  const { panel, element } = table,
    { state, run } = panel;
  element.hidden = !state.tableOpen;
  if (element.hidden || !run) return;
  const listed = listOf(panel);
  if (!listed) return;
  const cells = listed.cells ?? [];
  const isSame = table.drawn?.length === cells.length && cells.every((count, i) => count === table.drawn[i]);
  if (isSame && table.cell === state.cell && table.whose === state.whose) return;
  Object.assign(table, { drawn: cells, cell: state.cell, whose: state.whose });
  if (cells.length) return void fillTable(table);
  table.said.textContent = "The table is of one run: choose one in the list.";
  table.body.replaceChildren();
}

function fillTable({ panel, body, said, drawn: cells }) {
  const listed = panel.group.panels[listedRuns(panel.state)[0]],
    { classes } = listed.info,
    size = classes.length + 1;
  const order = chooseClasses(cells, size),
    left = classes.length - order.length;
  const { annotators } = listed.info,
    [nothing, missed] = annotators ? [`only in ${annotators[1]}`, `only in ${annotators[0]}`] : ["nothing", "missed"];
  const axes = annotators
    ? `Rows: ${annotators[0]}. Columns: ${annotators[1]}. A`
    : "Rows: what was there. Columns: what was said. At this score and tIoU; a";
  said.textContent = `${axes} click lists what a cell counts.${
    left ? ` ${left} classes with fewer errors are left out.` : ""
  }`;
  const lines = [...order, size - 1];
  const nameOf = (k, last) => (k === size - 1 ? last : classes[k]);
  const head = make(
    "tr",
    {},
    make("td", {}),
    ...lines.map((k) => make("th", { scope: "col" }, make("span", {}, nameOf(k, missed)))),
  );
  const most = lines.map((truth) => Math.max(1, ...lines.map((found) => cells[truth * size + found])));
  const rows = lines.map((truth, r) => {
    const counts = lines.map((found) =>
      countCell(listed, truth * size + found, cells[truth * size + found], truth === found, most[r]),
    );
    return make("tr", {}, make("th", { scope: "row" }, nameOf(truth, nothing)), ...counts);
  });
  body.replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
}

// The classes with the most errors, in their own order.
function chooseClasses(cells, size) {
  const errors = new Float64Array(size - 1);
  cells.forEach((count, i) => {
    const [truth, found] = [Math.floor(i / size), i % size];
    if (truth === found) return;
    if (truth < size - 1) errors[truth] += count;
    if (found < size - 1) errors[found] += count;
  });
  const worst = [...errors.keys()].sort((a, b) => errors[b] - errors[a]);
  return worst.slice(0, MOST_CLASSES).sort((a, b) => a - b);
}

function countCell(panel, cell, count, right, most) {
  if (!count) return make("td", {});
  const share = Math.round(15 + 85 * Math.sqrt(count / most)), // per cent of the row's strongest colour
    name = `${cellName(panel, cell)}: ${count}`;
  const attributes = { type: "button", "data-cell": cell, title: name, "aria-label": name };
  if (cell === panel.group.panels[0].state.cell) attributes["aria-pressed"] = "true";
  const button = make(
    "button",
    { ...attributes, class: right ? "right" : "wrong", style: `--share: ${share}%` },
    String(count),
  );
  return make("td", {}, button);
}
