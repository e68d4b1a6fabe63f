// The inspector itself: its state, the segments it was given, and which of them are shown.
//
// A source says where the segments come from: `info` (see `describe` in afkit/workbench/inspector/inspected.py),
// `settings`, `ask(video, tiou)`, which leads to a later `panel.receive`, `tell(settings)` and `pick(rows)`. A source
// that takes corrections has `correct(video, list)` (see correcting.js), `isCorrected(video)` and `numCorrected()`, and
// may `save()`.

import { make } from "./controls.js";
import { countCorrections, editedRows, sameRow, segmentOf, truthOf } from "./correcting.js";
import { reportEditing } from "./editing.js";
import { listen } from "./events.js";
import { layOut } from "./layout.js";
import { drawPanel, fitSize, look, pan, pick, redraw, step, zoom } from "./looking.js";
import { arrangeLanes, HIDDEN, LANE_GAP_PX, segmentColumns, shownErrors, shownKinds } from "./segments.js";
import { createStore } from "./store.js";
import { FOLLOWED } from "./tracks.js";

let numPanels = 0; // for ids that differ within a page
const FILTERS = ["minScore", "topK", "hidden", "stacked"];
const EDITS = ["editing", "part", "newLabel", "picked", "undo", "redo"];

export function createPanel(root, source) {
  const panel = {
    root,
    source,
    info: source.info,
    id: `afkit-inspector-${++numPanels}`,
    waiting: false,
    ...createStore({ ...nothingChosen(), ...source.settings }),
    kept: {}, // the picture of the overview
  };
  // What is drawn: the state, which it inherits, and what follows from it.
  panel.scene = Object.assign(Object.create(panel.state), {
    names: source.info.classes,
    segments: null,
    lanes: [],
    ignored: [],
  });
  panel.parts = layOut(panel);
  panel.canvas = panel.parts.canvas;
  const actions = { look, zoom, pan, step, pick, filter: filterSegments, draw: drawPanel, receive: receiveSegments };
  for (const [name, action] of Object.entries(actions)) panel[name] = (...given) => action(panel, ...given);
  panel.listen((names) => showChange(panel, names));
  panel.dispose = listen(panel);
  source.connect(panel);
  askFor(panel, source.settings.video, source.settings.tiou);
  return panel;
}

function nothingChosen() {
  const shown = { view: null, hidden: new Set(), stacked: false, picked: [], hovered: -1 };
  const edits = { editing: false, part: null, newLabel: 0, draft: null, undo: [], redo: [] }; // part: what arrows move
  const tracks = { curves: false, signal: false, media: false, curveOf: FOLLOWED, cursorSec: null };
  return { ...shown, ...edits, ...tracks };
}

export function askFor(panel, video, tiou) {
  panel.parts.said.textContent = "";
  panel.source.ask(video, tiou);
}

function showChange(panel, names) {
  if (names.has("minScore") || names.has("topK")) panel.source.tell(panel.state);
  if (FILTERS.some((name) => names.has(name))) filterSegments(panel);
  else if (EDITS.some((name) => names.has(name))) reportEditing(panel);
  if (names.size > 1 || !names.has("cursorSec")) redraw(panel); // a video that plays moves a line alone
}

// Segments of a video, as asked for; those of another video begin with a view of the whole.
function receiveSegments(panel, shown, facts, matching) {
  const { scene, state } = panel;
  const other = !scene.segments || shown.video !== state.video;
  const picked = other ? [] : state.picked.map((row) => segmentOf(scene.segments, row));
  scene.segments = segmentColumns(facts, matching);
  scene.ignored = panel.info.videos.find((entry) => entry.video === shown.video)?.ignored_sec ?? [];
  scene.original = shown.original ?? truthOf(scene.segments);
  scene.numCorrections = countCorrections(scene.original, truthOf(scene.segments));
  scene.given = { ...shown, original: scene.original };
  scene.segments.edited = editedRows(scene.segments, scene.original);
  const { start, end } = scene.segments;
  const begin = start.length ? Math.min(0, start[0]) : 0; // by onset
  const last =
    Math.max(
      end.reduce((a, b) => Math.max(a, b), begin),
      shown.duration_sec,
    ) || 1;
  const view = other
    ? { begin, end: last, from: begin, to: last }
    : { ...state.view, end: Math.max(state.view.end, last) };
  panel.set({ video: shown.video, tiou: shown.tiou, hovered: -1, view });
  if (other) {
    panel.parts.scroller.scrollTop = 0;
    pick(panel, []);
  }
  panel.parts.videos.fill(state.video);
  filterSegments(panel);
  const rows = state.picked.map((row, i) => sameRow(scene.segments, picked[i], row)).filter((row) => row >= 0);
  if (String(rows) !== String(state.picked)) pick(panel, rows); // edits move the rows
}

export function filterSegments(panel) {
  const { scene, state } = panel;
  if (!scene.segments) return;
  scene.shown = shownKinds(scene.segments, state);
  scene.lanes = arrangeLanes(scene.segments, scene.shown, scene.view.end - scene.view.begin, state.stacked);
  const last = scene.lanes.at(-1);
  scene.contentHeight = last ? last.top + last.height + LANE_GAP_PX : 60;
  scene.errors = shownErrors(scene.segments, scene.shown);
  report(panel);
  reportEditing(panel);
  fitSize(panel);
}

// What is shown, in words, and the controls as they stand.
function report({ info, parts, state, scene, canvas }) {
  const { segments, shown } = scene;
  const visible = shown.reduce((sum, kind) => sum + (kind !== HIDDEN), 0);
  const word = scene.errors.length === 1 ? "error" : "errors";
  const text = `${visible} of ${segments.n} segments shown, ${scene.errors.length} ${word} at tIoU ${state.tiou}`;
  const shaded = scene.ignored.length ? "Hatched parts were not annotated, and are not judged." : "";
  parts.count.textContent = text;
  parts.banner.textContent = [info.remark, ...missing(segments, visible), shaded].filter(Boolean).join(" ");
  canvas.setAttribute("aria-label", `Timeline of ${state.video}: ${text}. ${parts.banner.textContent}`);
  const options = [...new Set([...info.tious, state.tiou])].sort((a, b) => a - b);
  parts.threshold.replaceChildren(...options.map((tiou) => make("option", { value: tiou }, tiou.toFixed(2))));
  parts.threshold.value = state.tiou;
  parts.slider.value = state.minScore;
  parts.scoreText.textContent = state.minScore.toFixed(2);
  parts.stacked.checked = state.stacked;
  parts.showClasses(state.hidden);
  if (Number(parts.top.value) !== state.topK || parts.top.value === "") parts.top.value = state.topK;
}

// Sentences on what a reader might look for in vain.
export function missing(segments, visible) {
  const truths = segments.score.reduce((sum, score) => sum + Number.isNaN(score), 0);
  const sentences = [];
  if (!truths) sentences.push("This video has no ground truth.");
  if (truths === segments.n) sentences.push("This video has no predictions.");
  if (segments.n && !visible) sentences.push("The controls hide all segments.");
  return sentences;
}
