// Editing by pointer: an end or the whole of an annotation is dragged, or a new one is drawn on empty space.

import { moved, rounded, segmentOf } from "./correcting.js";
import { AXIS_PX } from "./drawing.js";
import { limitSec, replaceTruth, say } from "./editing.js";
import { rowUnder, timeAt } from "./events.js";
import { redraw } from "./looking.js";
import { GT_ROW_PX, HIDDEN, isTruth, rowOf } from "./segments.js";

const EDGE_PX = 6;

// What a press of the pointer takes hold of: { row, part, at, before }, row -1 for a new segment; null for nothing.
export function takeHold(panel, event) {
  const { scene } = panel;
  if (!scene.editing || event.offsetX < scene.left || event.offsetY < AXIS_PX) return null;
  const row = rowUnder(panel, event),
    at = timeAt(scene, event.offsetX);
  if (row >= 0) {
    const before = segmentOf(scene.segments, row);
    return isTruth(scene.segments, row) ? { row, part: partAt(panel, row, event.offsetX), at, before } : null;
  }
  const y = event.offsetY - AXIS_PX + panel.parts.scroller.scrollTop;
  const lane = scene.lanes.find((one) => y >= one.top && y < one.top + one.height);
  const label = lane && lane.label >= 0 ? lane.label : scene.newLabel;
  return scene.names.length ? { row, part: "end", at, before: { start: at, end: at, label }, y } : null;
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
  const { scene } = panel,
    limit = limitSec(panel),
    time = timeAt(scene, Math.max(event.offsetX, scene.left));
  const ends = [held.at, time].map((one) => rounded(one, limit)).sort((a, b) => a - b);
  const draft =
    held.row < 0
      ? { ...held.before, start: ends[0], end: ends[1] }
      : moved(held.before, held.part, time - held.at, limit);
  panel.set({ draft: { ...held, after: draft } });
  const { start, end, label } = draft;
  say(panel, `${scene.names[label]}: ${start.toFixed(2)} to ${end.toFixed(2)} s (${(end - start).toFixed(2)} s)`);
  redraw(panel);
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

// A flag on each corrected segment, handles on the picked one, and what is being dragged.
export function drawEdits(pen, scene, xOf) {
  const { segments, shown, lanes, looks, left } = scene;
  for (const row of segments.edited) {
    const place = shown[row] === HIDDEN ? null : rowOf(lanes, segments, row),
      x = xOf(segments.start[row]);
    if (place && x >= left - 8) drawFlag(pen, looks.palette, x, place.top);
  }
  if (scene.editing) {
    const row = scene.picked.findLast((one) => isTruth(segments, one)),
      place = row >= 0 && rowOf(lanes, segments, row);
    if (place && !scene.draft) drawHandles(pen, scene, xOf(segments.start[row]), xOf(segments.end[row]), place);
  }
  if (scene.draft) drawDraft(pen, scene, xOf);
}

function drawFlag(pen, palette, x, top) {
  pen.beginPath();
  pen.moveTo(x, top);
  pen.lineTo(x + 9, top);
  pen.lineTo(x, top + 9);
  pen.closePath();
  pen.fillStyle = palette.mark;
  pen.fill();
  pen.strokeStyle = palette.paper;
  pen.lineWidth = 1;
  pen.stroke();
}

function drawHandles(pen, { looks, part: held }, from, to, { top, height }) {
  for (const [part, x] of [
    ["start", from],
    ["end", to],
  ]) {
    const chosen = held === part || held === "whole",
      half = chosen ? 4 : 2.5;
    pen.fillStyle = chosen ? looks.palette.mark : looks.palette.paper;
    pen.strokeStyle = looks.palette.mark;
    pen.lineWidth = 1.5;
    pen.fillRect(x - half, top + 0.7 * height - half, 2 * half, 2 * half);
    pen.strokeRect(x - half, top + 0.7 * height - half, 2 * half, 2 * half);
  }
}

function drawDraft(pen, { draft, lanes, segments, looks }, xOf) {
  const { after, row, y } = draft,
    lane = lanes.find((one) => y >= one.top && y < one.top + one.height);
  const { top, height } = row >= 0 ? rowOf(lanes, segments, row) : (lane?.rows[0] ?? { top: y - 8, height: GT_ROW_PX });
  pen.strokeStyle = looks.palette.mark;
  pen.lineWidth = 2;
  pen.setLineDash([5, 3]);
  pen.strokeRect(xOf(after.start), top, Math.max(xOf(after.end) - xOf(after.start), 1), height - 1);
  pen.setLineDash([]);
}
