// A video of the run on the lanes, what of it is shown, and walking through the list of the whole run.

import { sameRow, segmentOf } from "./correcting.js";
import { arrangeLanes, LANE_GAP_PX } from "./lanes.js";
import { fitSize, goTo, markCounterpart, pick, restCursor } from "./looking.js";
import { nextInList, placeInList, reviewRun } from "./review.js";
import { segmentsOf } from "./run.js";
import { isError, shownKinds } from "./segments.js";

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
  panel.set({ hovered: -1 });
}

function beginVideo(panel) {
  const { scene, state, run } = panel,
    v = run.numbers.get(state.video);
  scene.segments = segmentsOf(run, v, state.tiou);
  scene.ignored = run.info.videos[v]?.ignored_sec ?? [];
  const { begin, end } = wholeOf(panel, scene.segments);
  scene.shown = shownKinds(scene.segments, state);
  panel.parts.scroller.scrollTop = 0;
  panel.set({ view: { begin, end, from: begin, to: end } });
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
  scene.lanes = arrangeLanes(scene.segments, scene.shown, scene.view.end - scene.view.begin, state);
  const last = scene.lanes.at(-1);
  scene.contentHeight = last ? last.top + last.height + LANE_GAP_PX : 60;
  scene.numErrors = scene.shown.reduce((sum, kind) => sum + isError(kind), 0);
  panel.list = null;
  markCounterpart(panel);
  panel.report();
  fitSize(panel);
}

// The list of the run as its filters are set; kept until something changes.
export function listOf(panel) {
  panel.list ??= reviewRun(panel.run, panel.state);
  return panel.list;
}

// To the next or the one before in the list, across videos, round at the end.
export function step(panel, direction) {
  const { scene, state, run, parts } = panel;
  if (!run) return;
  const list = listOf(panel),
    v = run.numbers.get(state.video),
    row = state.picked.at(-1) ?? -1;
  if (!list.n) {
    parts.said.textContent = `There is nothing in the list${state.what === "errors" ? ": no error is shown" : ""}.`;
    return;
  }
  const place = row >= 0 ? placeInList(list, v, row) : -1,
    from = row >= 0 ? scene.segments.start[row] : scene.view.from;
  goToEntry(
    panel,
    place < 0 ? nextInList(run, list, state, v, from, direction) : (place + direction + list.n) % list.n,
  );
}

export function goToEntry(panel, k) {
  const { video, row } = listOf(panel),
    [v, i] = [video[k], row[k]];
  const name = panel.run.info.videos[v].video;
  if (name !== panel.state.video) showVideo(panel, name);
  goTo(panel, i);
}
