// The elements of a panel and where they stand.

import { classControls, HOW_TO_EDIT, KEYS, labelled, make, videoControls } from "./controls.js";
import { acceptPrediction, chooseLabel, deleteTruth, insertTruth, redo, say, toggleEditing, undo } from "./editing.js";
import { look, step, zoom } from "./looking.js";
import { askFor } from "./panel.js";

export function layOut(panel) {
  const { root, info, id } = panel;
  const banner = make("p", { class: "remark", role: "status" });
  const count = make("p", { class: "count", "data-role": "count" });
  const said = make("p", { class: "said", "aria-live": "polite", "data-role": "said" });
  const help = make("p", { class: "help", id: `${id}-keys` }, `${KEYS}${panel.source.correct ? ", e edits" : ""}.`);
  const canvas = make("canvas", {
    tabindex: 0,
    role: "application",
    "aria-roledescription": "timeline",
    "aria-describedby": `${id}-keys`,
  });
  const overview = make("canvas", { class: "overview", "aria-hidden": "true" });
  const spacer = make("div", { class: "spacer" });
  const scroller = make("div", { class: "scroller" }, canvas, spacer);
  const tooltip = make("div", { class: "tooltip", role: "tooltip", hidden: "" });
  const stage = make("div", { class: "stage" }, scroller, tooltip);
  const key = make("div", { class: "legend" });
  const videos = videoControls(info, (video) => askFor(panel, video, panel.state.tiou), panel.source.isCorrected);
  const filters = filterControls(panel),
    edits = editControls(panel);
  root.classList.add("afkit-inspector");
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // the keys are ours, not JupyterLab's
  root.replaceChildren(
    make("h2", {}, info.title),
    banner,
    make("div", { class: "controls" }, ...videos.elements),
    make("div", { class: "controls" }, ...filters.elements, ...lookButtons(panel), edits.edit),
    edits.row,
    overview,
    stage,
    count,
    edits.corrected,
    said,
    key,
    help,
  );
  return { banner, count, said, canvas, overview, spacer, scroller, tooltip, stage, key, videos, ...filters, ...edits };
}

function button(text, role, action) {
  return make("button", { type: "button", "data-role": role, onclick: action }, text);
}

// What is shown: score, number, threshold, classes.
function filterControls(panel) {
  const ask = () => askFor(panel, panel.state.video, Number(threshold.value));
  const threshold = make("select", { "data-role": "tiou", onchange: ask });
  const slider = make("input", { type: "range", min: 0, max: 1, step: 0.01, "data-role": "score" });
  const scoreText = make("output", {});
  const top = make("input", { type: "number", min: 0, step: 1, "data-role": "top", title: "0: all" });
  slider.addEventListener("input", () => panel.set({ minScore: Number(slider.value) }));
  const wholeTop = () => Math.max(Math.floor(Number(top.value)) || 0, 0);
  top.addEventListener("input", () => panel.set({ topK: wholeTop() }));
  const stacked = make("input", { type: "checkbox", "data-role": "stacked" });
  stacked.addEventListener("change", () => panel.set({ stacked: stacked.checked }));
  const classes = classControls(panel.info.classes, panel);
  const elements = [
    labelled("score from", slider, scoreText),
    labelled("best", top),
    labelled("tIoU", threshold),
    classes.element,
    labelled("stacked", stacked),
  ];
  return { threshold, slider, scoreText, top, stacked, showClasses: classes.show, elements };
}

function lookButtons(panel) {
  return [
    button("previous error", "previous", () => step(panel, -1)),
    button("next error", "next", () => step(panel, 1)),
    button("zoom in", "in", () => zoom(panel, 0.5)),
    button("zoom out", "out", () => zoom(panel, 2)),
    button("whole video", "all", () => look(panel, panel.state.view.begin, panel.state.view.end)),
  ];
}

// The button "edit", and what it brings out. Where corrections have nowhere to go, there is none of it.
function editControls(panel) {
  const { source, info } = panel;
  const edit = button("edit", "edit", () => toggleEditing(panel));
  edit.hidden = !source.correct;
  const choose = () => act(() => chooseLabel(panel, Number(label.value)));
  const label = make("select", { "data-role": "label", onchange: choose });
  label.append(...info.classes.map((name, value) => make("option", { value }, name)));
  const act = (action) => {
    action(panel);
    panel.canvas.focus(); // for the next key
  };
  const save = button("save annotations", "save", () => act(() => say(panel, source.save())));
  save.hidden = !source.save;
  const undoing = button("undo", "undo", () => act(undo)),
    redoing = button("redo", "redo", () => act(redo));
  const row = make(
    "div",
    { class: "controls edits", role: "group", "aria-label": "editing" },
    labelled("class", label),
    button("add", "add", () => act(insertTruth)),
    button("accept prediction", "accept", () => act(acceptPrediction)),
    button("delete", "delete", () => act(deleteTruth)),
    undoing,
    redoing,
    save,
    make("p", { class: "help" }, HOW_TO_EDIT),
  );
  const corrected = make("p", { class: "count", "data-role": "corrected" });
  return { edit, row, label, save, undo: undoing, redo: redoing, corrected };
}
