// The list of the whole run beside the lanes: its filters, and rows of which only those in view are made.

import { differenceName } from "./annotators.js";
import { button, make } from "./controls.js";
import { gainsOf } from "./gains.js";
import { filterControls, offerLists } from "./list_filters.js";
import { drawBar, drawLetter } from "./looks.js";
import { fitCanvas } from "./pens.js";
import { gainOf, listedRuns, scoreOf } from "./review.js";
import { segmentsOf } from "./run.js";
import { counterpartOf, FOUND, KINDS, MISS } from "./segments.js";
import { currentPlace, goToEntry, listOf } from "./showing.js";

const ROW_PX = 40;
const MOST_PX = 8_000_000; // of what scrolls: browsers allow no more than some ten million
const NOTES = {
  gain: "Points of mAP at this tIoU, if this one alone were gone: a false detection taken away, a missed action found.",
  changes: "At this score and tIoU. False in one alone: where the other says nothing false of that class.",
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
  const list = {
    panel,
    element,
    filters,
    said,
    note,
    chip,
    rows,
    scroller,
    drawn: null,
    from: -1,
    at: -1,
    offered: "",
  };
  scroller.addEventListener("scroll", () => drawRows(list));
  rows.addEventListener("click", (event) => {
    const entry = event.target.closest("[data-entry]");
    if (entry) goToEntry(panel, Number(entry.dataset.entry));
  });
  return list;
}

// The controls, the count and the rows as they stand.
export function drawList(list) {
  const { panel, element, filters, said, note, chip } = list,
    { state, run } = panel;
  element.hidden = !state.listOpen;
  const found = element.hidden || !run ? null : listOf(panel);
  if (!found) return;
  offerLists(list);
  const listed = panel.group.panels[listedRuns(state)[0]];
  filters.what.value = state.what;
  filters.sorted.value = state.sorted;
  note.textContent = (found.cells ? "" : NOTES.changes) || (NOTES[state.sorted] ?? "");
  note.hidden = !note.textContent;
  chip.hidden = state.cell === null;
  chip.textContent = state.cell === null ? "" : `${cellName(listed, state.cell)} ×`;
  const at = currentPlace(panel, found);
  const number = (count) => count.toLocaleString("en").replaceAll(",", " ");
  const errors = panel.info.annotators ? "differences in all" : `errors in ${listed.source.letter ?? "the run"}`,
    whole = found.cells ? errors : "changes";
  said.textContent = `${at >= 0 ? `${number(at + 1)} of ` : ""}${number(found.n)} listed${state.unjudged ? "" : `; ${number(found.total)} ${whole}`}`;
  if (found === list.drawn && at === list.at) return;
  const moved = at !== list.at;
  Object.assign(list, {
    drawn: found,
    at,
    from: -1,
    shares: state.sorted === "gain" && found.cells ? gainsOf(listed.run, listed.state.tiou) : null,
  });
  list.rows.style.height = `${Math.min(found.n * ROW_PX, MOST_PX)}px`;
  if (moved && at >= 0) bringIntoView(list, at);
  drawRows(list);
}

// Words for a cell of the table of classes.
export function cellName({ info }, cell) {
  const size = info.classes.length + 1,
    [truth, found] = [Math.floor(cell / size), cell % size];
  if (info.annotators) {
    const [one, other] = [truth, found].map((k, who) => `${info.classes[k] ?? "nothing"} in ${info.annotators[who]}`);
    return `${one}, ${other}`;
  }
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
    own = panel.group.panels[drawn.side[k]],
    { run, state, info } = own;
  const v = drawn.video[k],
    i = drawn.row[k],
    kind = drawn.kind[k],
    segments = segmentsOf(run, v, state.tiou);
  const name = info.classes[segments.label[i]],
    score = scoreOf(segments, kind, i),
    { isTold } = segments;
  const facts = [info.videos[v].video, `${segments.start[i].toFixed(1)} to ${segments.end[i].toFixed(1)} s`];
  if (kind === MISS && !isTold) facts.push(Number.isNaN(score) ? "nothing near" : `nearest ${score.toFixed(2)}`);
  else if (!Number.isNaN(score) && !isTold) facts.push(score.toFixed(2));
  if (shares) facts.unshift(`+${(100 * gainOf(shares, segments, kind, i, drawn.entry[k])).toPrecision(2)} points`);
  const canvas = make("canvas", { "aria-hidden": "true" }),
    pen = fitCanvas(canvas, 26, 14);
  drawBar(pen, panel.scene.looks, kind, 0, 0, 26, 14);
  drawLetter(pen, panel.scene.looks, kind, 0, 0, 26, 14);
  const selected = k === list.at,
    alone = drawn.cells ? "" : own.source.letter,
    text = state.unjudged
      ? name
      : isTold
        ? differenceName(info, segments, i)
        : whatIs(segments, kind, i, info.classes, alone) + name;
  return make(
    "div",
    {
      class: "entry-row",
      role: "option",
      id: rowId(list, k),
      "data-entry": k,
      "aria-selected": selected,
      title: text,
      style: `top: ${top}px`,
    },
    canvas,
    make("span", { class: "what" }, text),
    make("span", { class: "where" }, facts.join(", ")),
  );
}

// "localisation: ", "confusion: walk as ", "found in A alone: "; alone: which of two runs has it, "" where both may.
function whatIs(segments, kind, i, names, alone) {
  if (kind === FOUND) return alone ? `found in ${alone} alone: ` : "found: ";
  if (alone) return `false in ${alone} alone, ${whatIs(segments, kind, i, names, "")}`;
  const shown = { [i]: kind },
    other = counterpartOf(segments, shown, i);
  const mixed = other >= 0 && kind !== MISS && segments.label[other] !== segments.label[i];
  return mixed && KINDS[kind] !== "background"
    ? `${KINDS[kind]}: ${names[segments.label[other]]} as `
    : `${KINDS[kind]}: `;
}
