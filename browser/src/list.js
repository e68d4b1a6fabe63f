// The list of the whole run beside the lanes: its filters, and rows of which only those in view are made.

import { button, labelled, make, selection } from "./controls.js";
import { gainsOf } from "./gains.js";
import { drawBar, drawLetter } from "./looks.js";
import { fitCanvas } from "./pens.js";
import { gainOf, LISTED, placeInList, SORTED, scoreOf, wholeList } from "./review.js";
import { segmentsOf } from "./run.js";
import { counterpartOf, FOUND, KINDS, MISS } from "./segments.js";
import { goToEntry, listOf } from "./showing.js";

const ROW_PX = 40;
const MOST_PX = 8_000_000; // of what scrolls: browsers allow no more than some ten million
const NOTES = {
  gain: "Points of mAP at this tIoU, if this one alone were gone: a false detection taken away, a missed action found.",
  doubt: "By how near their score is to the threshold; of a missed action, that of the nearest prediction.",
};

export function createList(panel) {
  const filters = filterControls(panel);
  const said = make("p", { class: "count", "data-role": "listed", "aria-live": "polite" }),
    note = make("p", { class: "help" });
  const chip = button("", "cell", "list all again, not this cell of the table alone", () => panel.set({ cell: null }));
  const rows = make("div", { class: "rows", role: "listbox", tabindex: -1, "aria-label": "segments of the whole run" });
  const scroller = make("div", { class: "entries" }, rows);
  const element = make("section", { class: "list-pane", "aria-label": "list of the run" });
  element.append(filters.element, make("div", { class: "controls" }, said, chip), note, scroller);
  const list = { panel, element, filters, said, note, chip, rows, scroller, drawn: null, from: -1, at: -1 };
  scroller.addEventListener("scroll", () => drawRows(list));
  rows.addEventListener("click", (event) => {
    const entry = event.target.closest("[data-entry]");
    if (entry) goToEntry(panel, Number(entry.dataset.entry));
  });
  return list;
}

function filterControls(panel) {
  const what = selection(
    "what",
    Object.entries(LISTED).map(([key, [text]]) => [key, text]),
    { "aria-label": "what is listed" },
  );
  const sorted = selection("sorted", Object.entries(SORTED), { "aria-label": "order of the list" });
  const part = make("input", { type: "search", placeholder: "any recording", size: 12, "data-role": "list-video" });
  const number = (role, most) => make("input", { type: "number", min: 0, max: most, step: "any", "data-role": role });
  const maxScore = number("max-score", 1),
    [minSec, maxSec] = [number("min-sec", ""), number("max-sec", "")];
  const valueOr = (input, otherwise) => (input.value === "" || !(input.value >= 0) ? otherwise : Number(input.value));
  what.addEventListener("change", () => panel.set({ what: what.value, cell: null }));
  sorted.addEventListener("change", () => panel.set({ sorted: sorted.value }));
  part.addEventListener("input", () => panel.set({ videoPart: part.value }));
  maxScore.addEventListener("input", () => panel.set({ maxScore: valueOr(maxScore, 1) }));
  minSec.addEventListener("input", () => panel.set({ minSec: valueOr(minSec, 0) }));
  maxSec.addEventListener("input", () => panel.set({ maxSec: valueOr(maxSec, Infinity) }));
  const reset = () => {
    for (const input of [part, maxScore, minSec, maxSec]) input.value = "";
    panel.set(wholeList());
  };
  const more = make("details", { class: "more" }, make("summary", { title: "recording, score and length" }, "filters"));
  more.append(
    make(
      "div",
      { class: "drop" },
      labelled("recordings with", "part of a recording's name", part),
      labelled("score up to", "the lowest score is set above the lanes: score from", maxScore),
      labelled("seconds from", "shorter ones are left out", minSec),
      labelled("to", "longer ones are left out", maxSec),
      button("all again", "all-again", "take all filters of the list back", reset),
    ),
  );
  const element = make("div", { class: "controls" }, what, sorted, more);
  return { element, what, sorted, more };
}

// The controls, the count and the rows as they stand.
export function drawList(list) {
  const { panel, element, filters, said, note, chip } = list,
    { state, run } = panel;
  element.hidden = !state.listOpen;
  if (element.hidden || !run) return;
  const found = listOf(panel);
  filters.what.value = state.what;
  filters.sorted.value = state.sorted;
  note.textContent = NOTES[state.sorted] ?? "";
  note.hidden = !note.textContent;
  chip.hidden = state.cell === null;
  chip.textContent = state.cell === null ? "" : `${cellName(panel, state.cell)} ×`;
  const row = state.picked.at(-1) ?? -1,
    at = row >= 0 ? placeInList(found, run.numbers.get(state.video), row) : -1;
  const number = (count) => count.toLocaleString("en").replaceAll(",", " ");
  said.textContent = `${at >= 0 ? `${number(at + 1)} of ` : ""}${number(found.n)} listed; ${number(found.total)} errors in the run`;
  if (found === list.drawn && at === list.at) return;
  const moved = at !== list.at;
  Object.assign(list, {
    drawn: found,
    at,
    from: -1,
    shares: state.sorted === "gain" ? gainsOf(run, state.tiou) : null,
  });
  list.rows.style.height = `${Math.min(found.n * ROW_PX, MOST_PX)}px`;
  if (moved && at >= 0) bringIntoView(list, at);
  drawRows(list);
}

// Words for a cell of the table of classes.
export function cellName({ info }, cell) {
  const size = info.classes.length + 1,
    [truth, found] = [Math.floor(cell / size), cell % size];
  if (found === size - 1) return `${info.classes[truth]}, missed`;
  if (truth === size - 1) return `${info.classes[found]} where none is`;
  return truth === found ? `${info.classes[truth]}, hits` : `${info.classes[truth]} taken for ${info.classes[found]}`;
}

// The first row in view. A list too long for the browser is scrolled in larger steps.
function firstRow({ scroller, drawn }) {
  const most = Math.max(drawn.n - Math.floor(scroller.clientHeight / ROW_PX), 0),
    way = Math.max(scroller.scrollHeight - scroller.clientHeight, 1);
  const exact = drawn.n * ROW_PX <= MOST_PX;
  return Math.min(Math.floor(exact ? scroller.scrollTop / ROW_PX : (scroller.scrollTop / way) * most), most);
}

function bringIntoView(list, at) {
  const { scroller, drawn } = list,
    rows = Math.floor(scroller.clientHeight / ROW_PX),
    first = firstRow(list);
  if (at > first && at < first + rows - 1) return;
  const wanted = Math.max(at - Math.floor(rows / 2), 0);
  const exact = drawn.n * ROW_PX <= MOST_PX,
    way = scroller.scrollHeight - scroller.clientHeight;
  scroller.scrollTop = exact ? wanted * ROW_PX : (wanted / Math.max(drawn.n - rows, 1)) * way;
}

function drawRows(list) {
  const { panel, rows, scroller, drawn, at } = list;
  if (!drawn || !panel.scene.looks) return;
  const first = firstRow(list);
  if (first === list.from && rows.childElementCount) return;
  list.from = first;
  const exact = drawn.n * ROW_PX <= MOST_PX,
    top = exact ? first * ROW_PX : scroller.scrollTop;
  const last = Math.min(first + Math.ceil(scroller.clientHeight / ROW_PX) + 2, drawn.n),
    made = [];
  for (let k = first; k < last; k++) made.push(makeRow(list, k, top + (k - first) * ROW_PX));
  rows.replaceChildren(...made);
  if (at >= first && at < last) rows.setAttribute("aria-activedescendant", rowId(list, at));
  else rows.removeAttribute("aria-activedescendant");
}

function rowId({ panel }, k) {
  return `${panel.id}-entry-${k}`;
}

function makeRow(list, k, top) {
  const { panel, drawn, shares } = list,
    { run, state, info, scene } = panel;
  const v = drawn.video[k],
    i = drawn.row[k],
    kind = drawn.kind[k],
    segments = segmentsOf(run, v, state.tiou);
  const name = info.classes[segments.label[i]],
    score = scoreOf(segments, kind, i);
  const facts = [info.videos[v].video, `${segments.start[i].toFixed(1)} to ${segments.end[i].toFixed(1)} s`];
  if (kind === MISS) facts.push(Number.isNaN(score) ? "nothing near" : `nearest ${score.toFixed(2)}`);
  else if (!Number.isNaN(score)) facts.push(score.toFixed(2));
  if (shares) facts.unshift(`+${(100 * gainOf(shares, segments, kind, i, drawn.entry[k])).toPrecision(2)} points`);
  const canvas = make("canvas", { "aria-hidden": "true" }),
    pen = fitCanvas(canvas, 26, 14);
  drawBar(pen, scene.looks, kind, 0, 0, 26, 14);
  drawLetter(pen, scene.looks, kind, 0, 0, 26, 14);
  const selected = k === list.at;
  return make(
    "div",
    {
      class: "entry-row",
      role: "option",
      id: rowId(list, k),
      "data-entry": k,
      "aria-selected": selected,
      style: `top: ${top}px`,
    },
    canvas,
    make("span", { class: "what" }, `${whatIs(segments, kind, i, info.classes)}${name}`),
    make("span", { class: "where" }, facts.join(", ")),
  );
}

// "walk taken for ", "localisation: "; nothing where the class alone says it.
function whatIs(segments, kind, i, names) {
  if (kind === FOUND) return "found: ";
  const shown = { [i]: kind },
    other = counterpartOf(segments, shown, i);
  const mixed = other >= 0 && kind !== MISS && segments.label[other] !== segments.label[i];
  return mixed && KINDS[kind] !== "background"
    ? `${KINDS[kind]}: ${names[segments.label[other]]} as `
    : `${KINDS[kind]}: `;
}
