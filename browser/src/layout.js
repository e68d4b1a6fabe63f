// The elements of a panel and where they stand.

import { button, classControls, labelled, make, videoControls } from "./controls.js";
import { editControls } from "./edit_controls.js";
import { createGrip } from "./grip.js";
import { helpPanel, showHelp } from "./keys.js";
import { createList, drawList } from "./list.js";
import { look, zoom } from "./looking.js";
import { errorsOf, showVideo, step } from "./showing.js";
import { createTable, drawTable } from "./table.js";

export function layOut(panel) {
  const { root, info } = panel;
  const banner = make("p", { class: "remark", role: "status" });
  const count = make("p", { class: "count", "data-role": "count" });
  const said = make("p", { class: "said", "aria-live": "polite", "data-role": "said" });
  const canvas = make("canvas", {
    tabindex: 0,
    role: "application",
    "aria-roledescription": "timeline",
    "aria-description": "The question mark shows all keys.",
  });
  const overview = make("canvas", { class: "overview", "aria-hidden": "true" });
  const spacer = make("div", { class: "spacer" });
  const scroller = make("div", { class: "scroller" }, canvas, spacer);
  const tooltip = make("div", { class: "tooltip", role: "tooltip", hidden: "" });
  const stage = make("div", { class: "stage" }, scroller, tooltip);
  const key = make("div", { class: "legend" });
  const videos = videoControls(
    info,
    (video) => showVideo(panel, video),
    (video) => panel.run?.edited.has(video),
    () => errorsOf(panel),
    (video) => panel.state.states.get(video) ?? (panel.state.unjudged ? "to do" : ""),
  );
  const filters = filterControls(panel),
    edits = editControls(panel),
    sides = sideControls(panel),
    help = helpPanel(panel);
  const lower = make("div", { class: "controls" }, ...filters.elements); // the tracks add theirs
  const side = make("aside", { class: "side" }, sides.table.element, sides.list.element);
  side.append(createGrip(side, false, "drag: film and list become wider or narrower"));
  const work = make("div", { class: "work" }, edits.row, overview, stage, said, count, edits.corrected, key);
  root.classList.add("afkit-inspector");
  root.classList.toggle("unjudged", panel.state.unjudged);
  root.classList.toggle("annotators", Boolean(info.annotators));
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // the keys are ours, not JupyterLab's
  root.replaceChildren(
    edits.alarm,
    make("h2", {}, panel.source.letter ? `${panel.source.letter}: ${info.title}` : info.title),
    banner,
    make(
      "div",
      { class: "controls" },
      ...videos.elements,
      ...lookButtons(panel),
      ...sides.buttons,
      edits.edit,
      helpButton(panel),
    ),
    lower,
    make("div", { class: "body" }, side, work),
    help,
  );
  const parts = {
    banner,
    count,
    said,
    canvas,
    overview,
    spacer,
    scroller,
    tooltip,
    stage,
    key,
    videos,
    lower,
    side,
    help,
  };
  const addClass = (name, place) => {
    edits.addClass(name, place);
    filters.addClass(name, place);
  };
  return { ...parts, ...filters, ...edits, addClass };
}

function helpButton(panel) {
  return button("?", "help", "all keys (?)", () => showHelp(panel));
}

// What is shown: score, number, threshold, classes.
function filterControls(panel) {
  const threshold = make("select", { "data-role": "tiou" });
  threshold.addEventListener("change", () => showVideo(panel, panel.state.video, Number(threshold.value)));
  const slider = make("input", { type: "range", min: 0, max: 1, step: 0.01, "data-role": "score" });
  const scoreText = make("output", {});
  const top = make("input", { type: "number", min: 0, step: 1, placeholder: "all", "data-role": "top" });
  slider.addEventListener("input", () => panel.set({ minScore: Number(slider.value) }));
  const wholeTop = () => Math.max(Math.floor(Number(top.value)) || 0, 0);
  top.addEventListener("input", () => panel.set({ topK: wholeTop() }));
  const stacked = make("input", { type: "checkbox", "data-role": "stacked" });
  stacked.addEventListener("change", () => panel.set({ stacked: stacked.checked }));
  const classes = classControls(panel.info.classes, panel);
  const overlap =
    "how much of a prediction and an action must be common to both, for it to be right: their common time, divided by " +
    "the time that either takes (tIoU)";
  const elements = [
    labelled("score from", "predictions that the network is less sure of are hidden", slider, scoreText),
    labelled("at most", "so many predictions of each recording, the best ones; empty for all", top),
    labelled("overlap (tIoU)", overlap, threshold),
    classes.element,
    labelled(
      "two rows",
      "all annotations in one row and all predictions below, instead of a lane for each class",
      stacked,
    ),
  ];
  return { threshold, slider, scoreText, top, stacked, showClasses: classes.show, addClass: classes.add, elements };
}

function lookButtons(panel) {
  const one = panel.info.annotators ? "difference" : "error";
  return [
    button(`‹ ${one}`, "previous", "the one before in the list of the run (p)", () => step(panel, -1)),
    button(`${one} ›`, "next", "the next in the list of the run, also of another recording (n)", () => step(panel, 1)),
    button("−", "out", "look wider (-)", () => zoom(panel, 2)),
    button("+", "in", "look closer (+, or Ctrl and the wheel)", () => zoom(panel, 0.5)),
    button("whole", "all", "the whole recording (0)", () => look(panel, panel.state.view.begin, panel.state.view.end)),
  ];
}

// The list of the run and the table of classes, and the buttons that open them.
function sideControls(panel) {
  const list = createList(panel),
    table = createTable(panel);
  const toggle = (name) => () => panel.set({ [name]: !panel.state[name] });
  const buttons = [
    button("list", "open-list", "all of the whole run to walk through, filtered and sorted (l)", toggle("listOpen")),
    button("table", "open-table", "which class is taken for which, over the whole run (t)", toggle("tableOpen")),
  ];
  panel.root.addEventListener("drawn", () => {
    buttons[0].setAttribute("aria-pressed", panel.state.listOpen);
    buttons[1].setAttribute("aria-pressed", panel.state.tableOpen);
    drawTable(table);
    drawList(list);
  });
  return { list, table, buttons };
}
