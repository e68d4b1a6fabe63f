// The inspector itself: its state, the segments it was given, and which of them are shown.
//
// A source says where the segments come from: `info` (see `describe` in afkit/workbench/inspector/inspected.py),
// `settings`, `open(receive)`, which leads to a call `receive(buffer)` with all segments (see run.js), `tell(state)`,
// which hears of each change of the settings, and `pick(rows)`. A source that takes corrections has
// `correct(video, list)` (see correcting.js), which hears of each, and may `save()`.

import { make } from "./controls.js";
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

export function createPanel(root, source) {
  const panel = {
    root,
    source,
    info: source.info,
    id: `afkit-inspector-${++numPanels}`,
    waiting: false,
    run: null,
    list: null,
    ...createStore({ ...nothingChosen(), ...wholeList(), ...source.settings }),
    kept: {}, // the picture of the overview
  };
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
  return { ...shown, ...edits, ...labels, ...film, ...tracks, tableOpen: false };
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
    { segments, shown } = scene;
  const visible = shown.reduce((sum, kind) => sum + (kind !== HIDDEN), 0);
  const word = scene.numErrors === 1 ? "error" : "errors";
  const text = state.unjudged
    ? `${visible} of ${segments.n} annotations shown`
    : `${visible} of ${segments.n} segments shown, ${scene.numErrors} ${word} at tIoU ${state.tiou}`;
  const shaded = scene.ignored.length ? "Hatched parts were not annotated, and are not judged." : "";
  parts.count.textContent = text;
  parts.videos.tell(scene.numErrors);
  parts.banner.textContent = [info.remark, ...missing(segments, visible, state), shaded].filter(Boolean).join(" ");
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

// Sentences on what a reader might look for in vain.
function missing(segments, visible, { unjudged, editing }) {
  const truths = segments.score.reduce((sum, score) => sum + Number.isNaN(score), 0);
  const sentences = [];
  if (!truths && !unjudged) sentences.push("This video has no ground truth.");
  if (!truths && editing && unjudged)
    sentences.push("i begins an action at the cursor, o ends it; or draw it on the time line.");
  if (truths === segments.n && !unjudged) sentences.push("This video has no predictions.");
  if (segments.n && !visible) sentences.push("The controls hide all segments.");
  return sentences;
}
