// The canvas: lanes, time axis and overview. Only what is in view is drawn; what shares a pixel is drawn once.

import { drawEdits } from "./edit_marks.js";
import { FOLDED_PX, LANE_GAP_PX, rowOf } from "./lanes.js";
import { drawBar, drawLetter, drawName, plainColor } from "./looks.js";
import { AXIS_PX, fitCanvas, shorten, stepOfAxis } from "./pens.js";
import { FOUND, firstReaching, HIDDEN, HIT, isTruth, KINDS, MISS } from "./segments.js";

const NARROW_PX = 3,
  LOWEST = 0.45; // LOWEST: share of its row that a prediction of score 0 fills

// scene: { segments, shown, lanes, names, looks, view, left, width, height, scrollTop, picked, hovered, counterpart }
export function drawScene(canvas, scene) {
  const { looks, left, width, height, view } = scene;
  const pen = fitCanvas(canvas, width, height);
  pen.fillStyle = looks.palette.paper;
  pen.fillRect(0, 0, width, height);
  const perSec = (width - left) / (view.to - view.from);
  const xOf = (time) => left + (time - view.from) * perSec;
  drawAxis(pen, scene, xOf);
  drawIgnored(pen, scene, xOf);
  pen.save();
  pen.beginPath();
  pen.rect(0, AXIS_PX, width, height - AXIS_PX);
  pen.clip();
  pen.translate(0, AXIS_PX - scene.scrollTop);
  const inView = (part) => part.top + part.height >= scene.scrollTop && part.top <= scene.scrollTop + height - AXIS_PX;
  for (const lane of scene.lanes.filter(inView)) {
    for (const row of lane.rows.filter(inView)) drawRow(pen, scene, row, xOf);
    drawLaneName(pen, scene, lane);
  }
  for (const id of new Set([...scene.picked, scene.hovered])) outline(pen, scene, id, xOf);
  outline(pen, scene, scene.counterpart, xOf, true);
  pen.beginPath();
  pen.rect(scene.left - 5, 0, width, scene.scrollTop + height);
  pen.clip(); // the names stay free
  drawEdits(pen, scene, xOf);
  pen.restore();
}

// Spans that are not judged: grey, with slanted lines.
function drawIgnored(pen, { ignored, looks, view, left, width, height }, xOf) {
  for (const [start, end] of ignored) {
    const from = Math.max(xOf(Math.max(start, view.from)), left);
    const wide = Math.min(xOf(Math.min(end, view.to)), width) - from;
    if (wide <= 0) continue;
    pen.save();
    pen.beginPath();
    pen.rect(from, AXIS_PX, wide, height - AXIS_PX);
    pen.clip();
    pen.strokeStyle = looks.palette.line;
    pen.setLineDash([]);
    pen.lineWidth = 3;
    pen.beginPath();
    for (let x = from - height; x < from + wide; x += 12) {
      pen.moveTo(x, height);
      pen.lineTo(x + height, 0);
    }
    pen.stroke();
    pen.restore();
  }
}

function drawRow(pen, scene, row, xOf) {
  const { segments, shown, looks, view, left, width } = scene;
  const run = { kind: HIDDEN, from: 0, to: 0, height: 0 };
  const flush = () => {
    if (run.kind === HIDDEN) return;
    pen.fillStyle = plainColor(looks.palette, run.kind);
    pen.fillRect(run.from, row.top + row.height - 1 - run.height, run.to - run.from, run.height);
    run.kind = HIDDEN;
  };
  for (let p = firstReaching(row, view.from); p < row.ids.length; p++) {
    const i = row.ids[p];
    if (segments.start[i] > view.to) break;
    const kind = shown[i],
      x = xOf(segments.start[i]),
      end = xOf(segments.end[i]);
    const score = isTruth(segments, i) ? 1 : Math.min(Math.max(segments.score[i], 0), 1);
    const height = Math.max((row.height - 1) * (LOWEST + (1 - LOWEST) * score), 3);
    if (end - x < NARROW_PX) {
      const from = Math.floor(Math.min(x, (x + end) / 2 - 1)),
        to = Math.max(Math.ceil(end), from + 2);
      const same = kind === run.kind || (to <= run.to && run.to - run.from <= 2);
      if (from <= run.to && run.kind !== HIDDEN && same) {
        Object.assign(run, { to: Math.max(run.to, to), height: Math.max(run.height, height) });
        run.kind = Math.max(run.kind, kind); // an error is not hidden by a hit
      } else {
        flush();
        Object.assign(run, { kind, from, to, height });
      }
    } else {
      flush();
      const from = Math.max(x, left - 20),
        to = Math.min(end, width + 20),
        y = row.top + row.height - 1 - height;
      drawBar(pen, looks, kind, from, y, to - from, height);
      const visible = Math.max(from, left),
        wide = Math.min(to, width) - visible;
      if (scene.stacked) drawName(pen, looks, kind, scene.names[segments.label[i]], visible, y, wide, height);
      else drawLetter(pen, looks, kind, visible, y, wide, height);
    }
  }
  flush();
}

// A frame around a segment; dashed around the counterpart of what is picked, which is drawn also where it is hidden.
function outline(pen, scene, id, xOf, counterpart = false) {
  if (id < 0 || (scene.shown[id] === HIDDEN && !counterpart)) return;
  const row = rowOf(scene.lanes, scene.segments, id);
  if (!row) return;
  const x = Math.max(xOf(scene.segments.start[id]), scene.left - 20);
  const end = Math.min(xOf(scene.segments.end[id]), scene.width + 20);
  if (end < scene.left || x > scene.width) return;
  const { mark, beside } = scene.looks.palette;
  pen.strokeStyle = counterpart ? beside : mark;
  pen.lineWidth = counterpart || scene.picked.includes(id) ? 2.5 : 1.5;
  pen.setLineDash(counterpart ? [6, 3] : []);
  const middle = (x + end) / 2,
    half = Math.max((end - x) / 2, 3) + 1;
  const from = Math.max(middle - half, scene.left);
  pen.strokeRect(from, row.top - 1, middle + half - from, row.height + 1);
  pen.setLineDash([]);
}

function drawLaneName(pen, scene, lane) {
  const { palette } = scene.looks;
  pen.fillStyle = palette.paper;
  pen.fillRect(0, lane.top - LANE_GAP_PX / 2, scene.left - 1, lane.height + LANE_GAP_PX);
  pen.fillStyle = palette.line;
  pen.fillRect(0, lane.top + lane.height + LANE_GAP_PX / 2 - 0.5, scene.width, 1);
  pen.fillStyle = palette.ink;
  const folded = lane.height <= FOLDED_PX;
  pen.font = `${folded ? 10 : 13}px system-ui, sans-serif`;
  if (folded) pen.fillStyle = palette.quiet;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  const name = shorten(pen, lane.name ?? scene.names[lane.label], scene.left - 14);
  pen.fillText(name, 6, lane.top + Math.min(lane.height, 32) / 2);
}

function drawAxis(pen, scene, xOf) {
  const { view, left, width, height, looks } = scene;
  const perSec = (width - left) / (view.to - view.from);
  const step = stepOfAxis(perSec);
  pen.font = "12px system-ui, sans-serif";
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillStyle = looks.palette.quiet;
  pen.fillText(view.end >= 120 ? "time [min:s]" : "time [s]", 6, AXIS_PX / 2);
  pen.textAlign = "center";
  for (let k = Math.ceil(view.from / step); k * step <= view.to; k++) {
    const x = Math.round(xOf(k * step));
    pen.fillStyle = looks.palette.line;
    pen.fillRect(x, AXIS_PX - 6, 1, height);
    const text = clock(k * step, view.end, step);
    const half = pen.measureText(text).width / 2;
    pen.fillStyle = looks.palette.quiet;
    pen.fillText(text, Math.min(Math.max(x, left + half), width - half - 1), AXIS_PX / 2 - 2);
  }
}

// Seconds; in long videos minutes and seconds, with as many digits as the step of the axis needs.
function clock(seconds, endSec, step) {
  const digits = step >= 1 ? 0 : Math.ceil(-Math.log10(step));
  if (endSec < 120) return seconds.toFixed(digits);
  const rounded = Number(Math.abs(seconds).toFixed(digits)),
    rest = (rounded % 60).toFixed(digits);
  return `${seconds < 0 ? "−" : ""}${Math.floor(rounded / 60)}:${rest.padStart(digits ? digits + 3 : 2, "0")}`;
}

// The whole video in three bands: ground truth and misses, hits, false alarms. Kept as a picture until it changes.
export function drawOverview(canvas, scene, kept) {
  const { view, left, width, looks } = scene,
    height = 36;
  if (kept.width !== width || kept.looks !== looks || kept.shown !== scene.shown) {
    Object.assign(kept, { width, looks, shown: scene.shown, picture: overviewPicture(scene, width - left, height) });
  }
  const pen = fitCanvas(canvas, width, height);
  pen.fillStyle = looks.palette.paper;
  pen.fillRect(0, 0, width, height);
  pen.drawImage(kept.picture, left, 0);
  pen.fillStyle = looks.palette.quiet;
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.fillText("overview", 6, height / 2);
  const scale = (width - left) / (view.end - view.begin);
  const from = Math.round(left + (view.from - view.begin) * scale);
  const wide = Math.max(Math.round(left + (view.to - view.begin) * scale) - from, 3);
  pen.fillStyle = looks.palette.window;
  pen.fillRect(from, 0, wide, height);
  pen.strokeStyle = looks.palette.ink;
  pen.strokeRect(from + 0.5, 0.5, Math.max(wide - 1, 1), height - 1);
}

function overviewPicture({ segments, shown, view, looks }, width, height) {
  const picture = document.createElement("canvas");
  picture.width = Math.max(Math.round(width), 1);
  picture.height = height;
  const pen = picture.getContext("2d"),
    scale = width / (view.end - view.begin);
  const bands = [
    [FOUND, 3, 9],
    [MISS, 3, 9],
    [HIT, 14, 9],
    [HIT + 1, 25, 9],
  ];
  for (const [band, top, bandHeight] of bands) {
    pen.fillStyle = band > HIT ? looks.palette.edge[KINDS.length - 1] : plainColor(looks.palette, band);
    let done = -1; // up to which pixel this band is filled
    for (let i = 0; i < segments.n; i++) {
      if (shown[i] === HIDDEN || Math.min(shown[i], HIT + 1) !== band) continue;
      const from = Math.max(Math.floor((segments.start[i] - view.begin) * scale), done);
      const to = Math.max(Math.ceil((segments.end[i] - view.begin) * scale), from + 1);
      if (to <= done) continue;
      pen.fillRect(from, top, to - from, bandHeight);
      done = to;
    }
  }
  return picture;
}
