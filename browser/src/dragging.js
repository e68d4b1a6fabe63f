// Editing by pointer: an end or the whole of an annotation is dragged, or a new one is drawn on empty space.

import { moved, rounded, segmentOf } from "./correcting.js";
import { limitSec, replaceTruth, say } from "./editing.js";
import { redraw } from "./looking.js";
import { AXIS_PX } from "./pens.js";
import { rowUnder, timeAt } from "./places.js";
import { isTruth } from "./segments.js";
import { snapped, snappedShift } from "./snapping.js";

const EDGE_PX = 6;

// What a press of the pointer takes hold of: { row, of, part, at, before }, of: the segments, row -1 for a new one; null
// for nothing.
export function takeHold(panel, event) {
  const { scene } = panel;
  if (!scene.editing || event.offsetX < scene.left || event.offsetY < AXIS_PX) return null;
  const row = rowUnder(panel, event),
    { segments: of } = scene,
    at = timeAt(scene, event.offsetX);
  if (row >= 0) {
    const before = segmentOf(of, row);
    return isTruth(of, row) ? { row, of, part: partAt(panel, row, event.offsetX), at, before } : null;
  }
  const y = event.offsetY - AXIS_PX + panel.parts.scroller.scrollTop;
  const lane = scene.lanes.find((one) => y >= one.top && y < one.top + one.height);
  const label = lane && lane.label >= 0 ? lane.label : scene.newLabel;
  return scene.names.length ? { row, of, part: "end", at, before: { start: at, end: at, label }, y } : null;
}

function partAt({ scene }, row, x) {
  const { view, left, width, segments } = scene,
    perSec = (width - left) / (view.to - view.from);
  const from = left + (segments.start[row] - view.from) * perSec,
    to = left + (segments.end[row] - view.from) * perSec;
  const edge = Math.min(EDGE_PX, (to - from) / 3);
  return x <= from + edge ? "start" : x >= to - edge ? "end" : "whole";
}

// The held segment as it would become; drawn until the pointer is let go.
export function dragHeld(panel, held, event) {
  const { scene } = panel;
  if (held.of !== scene.segments) return; // by keys it was edited meanwhile, or left
  const limit = limitSec(panel),
    time = timeAt(scene, Math.max(event.offsetX, scene.left)),
    near = (one) => (event.altKey ? one : snapped(panel, one, held.row));
  const draft =
    held.row < 0
      ? drawn(held, near, time, limit)
      : moved(held.before, held.part, shiftOf(panel, held, time, event), limit);
  const cursorSec = draft[held.part === "end" && draft.end !== held.before.end ? "end" : "start"]; // the frame there is shown
  panel.set({ draft: { ...held, after: draft }, cursorSec });
  const { start, end, label } = draft;
  say(panel, `${scene.names[label]}: ${start.toFixed(2)} to ${end.toFixed(2)} s (${(end - start).toFixed(2)} s)`);
  redraw(panel);
}

// A new segment between where the pointer was pressed and where it is.
function drawn({ at, before }, near, time, limit) {
  const [start, end] = [at, time].map((one) => rounded(near(one), limit)).sort((a, b) => a - b);
  return { ...before, start, end };
}

// By how much what is held moves; with Alt, past the ends of other segments.
function shiftOf(panel, { row, part, at, before }, time, { altKey }) {
  if (altKey) return time - at;
  if (part === "whole") return snappedShift(panel, before, time - at, row);
  return snapped(panel, before[part] + time - at, row) - before[part];
}

export function letGo(panel, keep) {
  const { draft } = panel.scene;
  panel.set({ draft: null });
  if (!draft) return;
  if (keep) replaceTruth(panel, draft.row, draft.after);
  redraw(panel);
}

export function editCursor(panel, row, event) {
  const { scene } = panel;
  if (!scene.editing || event.offsetX < scene.left || event.offsetY < AXIS_PX) return "";
  if (row < 0) return "crosshair";
  if (!isTruth(scene.segments, row)) return "";
  return partAt(panel, row, event.offsetX) === "whole" ? "move" : "ew-resize";
}
