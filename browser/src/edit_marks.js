// What editing draws on the lanes: flags, handles, and what is being dragged.

import { GT_ROW_PX, rowOf } from "./lanes.js";
import { HIDDEN, isTruth } from "./segments.js";

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
  if (scene.begunSec !== null) drawBegun(pen, scene, xOf(scene.begunSec));
}

// Where a new annotation begins whose end is still to come.
function drawBegun(pen, { looks, left, height, scrollTop }, x) {
  if (x < left) return;
  pen.strokeStyle = looks.palette.mark;
  pen.lineWidth = 2;
  pen.setLineDash([5, 3]);
  pen.beginPath();
  pen.moveTo(x, scrollTop);
  pen.lineTo(x, scrollTop + height);
  pen.stroke();
  pen.setLineDash([]);
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
