// The inspector itself: its state, the segments it was given, and which of them are shown.
//
// A source says where the segments come from: `info` (see `describe` in afkit/workbench/inspector/inspected.py),
// `settings`, `open(receive)`, which leads to a call `receive(buffer)` with all segments (see run.js), `tell(state)`,
// which hears of each change of the settings, and `pick(rows)`. A source that takes corrections has
// `correct(video, list)` (see correcting.js), which hears of each, and may `save()`.

import { make, plural } from "./controls.js";
import { reportEditing } from "./edit_report.js";
import { listen } from "./events.js";
import { layOut } from "./layout.js";
import { drawPanel, look, pan, pick, redraw, zoom } from "./looking.js";
import { FILTERS as LIST_FILTERS, wholeList } from "./review.js";
import { openRun } from "./run.js";
import { HIDDEN } from "./segments.js";
import { filterSegments, listOf, refresh, showVideo, step } from "./showing.js";
import { createStore } from "./store.js";
import { FOLLOWED } from "./tracks.js";

let numPanels = 0; // for ids that differ within a page
const SETTINGS = ["video", "tiou", "minScore", "topK"]; // which a source hears of
const FILTERS = ["minScore", "topK", "hidden", "stacked"];
const EDITS = ["editing", "part", "newLabel", "picked", "undo", "redo", "states"];
const CURSOR = ["cursorSec", "restSec"]; // lines that move alone

// group: { panels, leader, number } of all runs that are shown, to which this panel adds itself.
export function createPanel(root, source, group) {
  const panel = {
    root,
    source,
    group,
    info: source.info,
    id: `afkit-inspector-${++numPanels}`,
    waiting: false,
    run: null,
    list: null,
    changes: null,
    ...createStore({
      ...nothingChosen(),
      ...wholeList(),
      listOpen: Boolean(source.info.annotators),
      ...source.settings,
    }),
    kept: {}, // the picture of the overview
  };
  group.panels.push(panel);
  group.leader ??= panel;
  // What is drawn: the state, which it inherits, and what follows from it.
  panel.scene = Object.assign(Object.create(panel.state), {
    names: source.info.classes,
    segments: null,
    lanes: [],
    ignored: [],
    counterpart: -1,
  });
  panel.parts = layOut(panel);
  panel.canvas = panel.parts.canvas;
  const actions = {
    look,
    zoom,
    pan,
    step,
    pick,
    filter: filterSegments,
    draw: drawPanel,
    report,
    showVideo,
    refresh,
    listed: listOf,
  };
  for (const [name, action] of Object.entries(actions)) panel[name] = (...given) => action(panel, ...given);
  panel.listen((names) => showChange(panel, names));
  panel.dispose = listen(panel);
  source.connect(panel);
  source.open((buffer) => {
    panel.run = openRun(panel.info, buffer);
    source.restore?.(panel.run);
    showVideo(panel, panel.state.video);
  });
  return panel;
}

function nothingChosen() {
  const shown = { view: null, hidden: new Set(), stacked: false, picked: [], hovered: -1, listOpen: false };
  const edits = { editing: false, part: null, newLabel: 0, draft: null, undo: [], redo: [] }; // part: what arrows move
  // begunSec: start of an annotation whose end is to come; unjudged: there are no predictions, and no misses
  const labels = { states: new Map(), begunSec: null, unjudged: false };
  const film = { cursorSec: null, restSec: null, speed: 1, loops: false, sound: null }; // restSec: where no pointer is
  const tracks = { curves: false, signal: false, media: false, curveOf: FOLLOWED, off: new Set() };
  return { ...shown, ...edits, ...labels, ...film, ...tracks, tableOpen: false, whose: "0" };
}

function showChange(panel, names) {
  if (SETTINGS.some((name) => names.has(name))) panel.source.tell(panel.state);
  if (LIST_FILTERS.some((name) => names.has(name))) panel.list = null;
  if (FILTERS.some((name) => names.has(name))) filterSegments(panel);
  else if (EDITS.some((name) => names.has(name))) reportEditing(panel);
  if ([...names].some((name) => !CURSOR.includes(name))) redraw(panel);
}

// What is shown, in words, and the controls as they stand.
function report(panel) {
  const { info, parts, state, scene, canvas } = panel,
    { shown } = scene;
  const visible = shown.reduce((sum, kind) => sum + (kind !== HIDDEN), 0);
  const text = countWords(panel, visible);
  const shaded = scene.ignored.length ? "Hatched parts were not annotated, and are not judged." : "";
  parts.count.textContent = text;
  parts.videos.tell(scene.numErrors);
  parts.banner.textContent = [info.remark, ...missing(panel, visible), shaded].filter(Boolean).join(" ");
  canvas.setAttribute("aria-label", `Timeline of ${state.video}: ${text}. ${parts.banner.textContent}`);
  const options = [...new Set([...info.tious, state.tiou])].sort((a, b) => a - b);
  parts.threshold.replaceChildren(...options.map((tiou) => make("option", { value: tiou }, tiou.toFixed(2))));
  parts.threshold.value = state.tiou;
  parts.slider.value = state.minScore;
  parts.scoreText.textContent = state.minScore.toFixed(2);
  parts.stacked.checked = state.stacked;
  parts.showClasses(state.hidden);
  const top = state.topK === 0 ? "" : String(state.topK); // an empty field says "all"
  if (parts.top.value !== top) parts.top.value = top;
  reportEditing(panel);
}

// How much there is: of annotators who differ, of a run that errs, or of what is labelled without any run.
function countWords({ info, state, scene: { segments, shown, numErrors } }, visible) {
  const part = `${visible} of ${segments.n}`;
  if (info.annotators) {
    const rows = `of each class the upper row is ${info.annotators[0]}, the lower one ${info.annotators[1]}`;
    return `${part} segments shown, ${plural(numErrors, "difference")}; ${rows}`;
  }
  if (!state.unjudged) return `${part} segments shown, ${plural(numErrors, "error")} at tIoU ${state.tiou}`;
  const classes = new Set([...segments.label].filter((_, i) => shown[i] !== HIDDEN));
  const all = visible === segments.n ? plural(visible, "annotation") : `${part} annotations shown`;
  return `${all}${visible ? ` of ${plural(classes.size, "class", "classes")}` : ""}`;
}

// Sentences on what a reader might look for in vain.
function missing({ info: { annotators }, state: { unjudged, editing }, scene: { segments } }, visible) {
  const truths = segments.score.reduce((sum, score) => sum + Number.isNaN(score), 0);
  const sentences = [];
  if (annotators) {
    if (!truths) sentences.push(`${annotators[0]} has nothing in this recording.`);
    if (truths === segments.n) sentences.push(`${annotators[1]} has nothing in this recording.`);
    return sentences;
  }
  if (!truths && !unjudged) sentences.push("This video has no ground truth.");
  if (!truths && editing && unjudged)
    sentences.push("i begins an action at the cursor, o ends it; or draw it on the time line.");
  if (truths === segments.n && !unjudged) sentences.push("This video has no predictions.");
  if (segments.n && !visible) sentences.push("The controls hide all segments.");
  return sentences;
}
