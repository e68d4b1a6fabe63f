// A video of the run on the lanes, what of it is shown, and walking through the list of the whole run.

import { changesOf, findChanges, sameAction } from "./changes.js";
import { sameRow, segmentOf } from "./correcting.js";
import { arrangeLanes, LANE_GAP_PX } from "./lanes.js";
import { fitSize, goTo, markCounterpart, pick, redraw, restCursor } from "./looking.js";
import { listedRuns, nextInList, placeInList, reviewRun } from "./review.js";
import { segmentsOf } from "./run.js";
import { counts, isError, isTruth, shownKinds } from "./segments.js";

// Show a video; one that is shown already keeps its view, its selection and its cursor.
export function showVideo(panel, video, tiou = panel.state.tiou) {
  const { state, run, scene } = panel;
  const other = !scene.segments || video !== state.video;
  panel.parts.said.textContent = "";
  panel.set({ video, tiou });
  if (!run) return; // its segments are on their way
  if (other) beginVideo(panel);
  panel.parts.videos.fill(video);
  refresh(panel);
}

// The segments of the video as they are now, with what is picked among them.
export function refresh(panel) {
  const { scene, state, run } = panel;
  const picked = state.picked.map((row) => segmentOf(scene.segments, row));
  takeSegments(panel, segmentsOf(run, run.numbers.get(state.video), state.tiou));
  const rows = state.picked.map((row, i) => sameRow(scene.segments, picked[i], row)).filter((row) => row >= 0);
  filterSegments(panel);
  if (String(rows) !== String(state.picked)) pick(panel, rows); // edits move the rows
}

function takeSegments(panel, segments) {
  const { scene, state } = panel;
  scene.segments = segments;
  const { end } = wholeOf(panel, segments),
    { view } = state;
  if (end > view.end) panel.set({ view: { ...view, end } });
  panel.set({ hovered: -1, draft: null }); // what was held may be another row now
}

function beginVideo(panel) {
  const { scene, state, run } = panel,
    v = run.numbers.get(state.video);
  scene.segments = segmentsOf(run, v, state.tiou);
  scene.ignored = run.info.videos[v]?.ignored_sec ?? [];
  const { begin, end } = wholeOf(panel, scene.segments);
  scene.shown = shownKinds(scene.segments, state);
  panel.parts.scroller.scrollTop = 0;
  panel.set({ view: { begin, end, from: begin, to: end }, begunSec: null });
  restCursor(panel, null);
  pick(panel, []);
}

// From when to when a video is: from its first segment or 0 to its end or its last segment.
function wholeOf({ run, state }, { start, end }) {
  const begin = start.length ? Math.min(0, start[0]) : 0, // by onset
    known = run.info.videos[run.numbers.get(state.video)]?.duration_sec ?? 0;
  return {
    begin,
    end:
      Math.max(
        end.reduce((a, b) => Math.max(a, b), begin),
        known,
      ) || 1,
  };
}

export function filterSegments(panel) {
  const { scene, state } = panel;
  if (!scene.segments) return;
  scene.shown = shownKinds(scene.segments, state);
  const rowNames = panel.info.annotators ?? ["ground truth", "predictions"];
  scene.lanes = arrangeLanes(scene.segments, scene.shown, scene.view.end - scene.view.begin, state, rowNames);
  const last = scene.lanes.at(-1);
  scene.contentHeight = last ? last.top + last.height + LANE_GAP_PX : 60;
  scene.numErrors = scene.shown.reduce((sum, kind, i) => sum + (isError(kind) && counts(scene.segments, kind, i)), 0);
  forgetList(panel);
  markCounterpart(panel);
  panel.report();
  fitSize(panel);
}

// Of several runs, the first one's panel has the list, which may be about all of them.
function forgetList(panel) {
  const [first] = panel.group.panels;
  first.list = first.changes = null;
  if (first !== panel) redraw(first);
}

// The list of the run, or of two, as its filters are set; kept until something changes. Null while a run is on its way.
export function listOf(panel) {
  const { panels } = panel.group,
    [first] = panels,
    [one, other] = listedRuns(first.state);
  if (!panels[one].run || (other !== undefined && !panels[other].run)) return null;
  first.list ??= other === undefined ? reviewOne(panels, one) : reviewChanges(panels);
  return first.list;
}

// By the list's own filters, and by what is shown of the run that is listed.
function reviewOne(panels, one) {
  const { minScore, topK, hidden, tiou, unjudged } = panels[one].state;
  return reviewRun(panels[one].run, { ...panels[0].state, minScore, topK, hidden, tiou, unjudged }, one);
}

function reviewChanges(panels) {
  const [first] = panels,
    { whose } = first.state;
  if (first.changes?.whose !== whose) first.changes = findChanges(panels, whose); // kept while the list is filtered
  return changesOf(first.changes, first.info, first.state);
}

// The errors of each recording of a panel's run, whatever its list shows.
export function errorsOf(panel) {
  if (!panel.run) return null;
  return (panel.state.whose === "0" ? listOf(panel) : reviewRun(panel.run, panel.state)).errors;
}

// The place in the list of what is selected, in the panel that was used last or in another one; -1 for none.
export function currentPlace(panel, list) {
  const { panels, leader } = panel.group;
  for (const own of [leader, ...panels]) {
    const row = own.run ? (own.state.picked.at(-1) ?? -1) : -1;
    const k = row >= 0 ? placeInList(list, own.run.numbers.get(own.state.video), row, panels.indexOf(own)) : -1;
    if (k >= 0) return k;
  }
  return -1;
}

// To the next or the one before in the list, across videos, round at the end.
export function step(panel, direction) {
  const { scene, state, run, parts, group } = panel,
    list = run && listOf(panel);
  if (!list) return;
  const { what, sorted } = group.panels[0].state;
  if (!list.n) {
    const none = `: no ${panel.info.annotators ? "difference" : "error"} is shown`;
    parts.said.textContent = `There is nothing in the list${what === "errors" ? none : ""}.`;
    return;
  }
  const place = currentPlace(panel, list),
    row = state.picked.at(-1) ?? -1,
    from = row >= 0 ? scene.segments.start[row] : scene.view.from;
  const startOf = (k) => {
    const own = group.panels[list.side[k]];
    return segmentsOf(own.run, list.video[k], own.state.tiou).start[list.row[k]];
  };
  const next = () => nextInList(list, sorted, startOf, run.numbers.get(state.video), from, direction);
  goToEntry(panel, place < 0 ? next() : (place + direction + list.n) % list.n);
}

// Select an entry of the list in the run it is of, which leads from then on; the same action is selected in the others.
export function goToEntry(panel, k) {
  const { video, row, side } = listOf(panel),
    { group } = panel,
    own = group.panels[side[k]],
    name = own.run.info.videos[video[k]].video;
  group.leader = own;
  if (name !== own.state.video) showVideo(own, name);
  goTo(own, row[k]);
  if (group.panels.length > 1) own.canvas.scrollIntoView({ block: "nearest" });
  for (const other of group.panels) {
    if (other === own || !other.run) continue;
    if (other.state.video !== name) showVideo(other, name, own.state.tiou);
    const same = isTruth(own.scene.segments, row[k]) ? sameAction(own, row[k], other) : -1;
    pick(other, same >= 0 ? [same] : []);
  }
}
