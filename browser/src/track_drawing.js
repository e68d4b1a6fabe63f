// The canvases of the tracks. They have the lanes' left edge and width, so that times lie above each other.

import { fitCanvas, shorten, stepOfAxis } from "./pens.js";

const TRACK_PX = 88,
  TRACK_PAD_PX = 9;
const TRACES = { light: ["#0072b2", "#d55e00", "#222222"], dark: ["#56b4e9", "#ff9a55", "#f2f2f2"] };
const DASHES = [[], [6, 3], [2, 2]];
const THRESHOLD_DASH = [7, 4];

function startTrack(canvas, scene, low, high) {
  const { looks, left, width, view } = scene,
    pen = fitCanvas(canvas, width, TRACK_PX);
  const perSec = (width - left) / (view.to - view.from),
    span = high - low || 1;
  const xOf = (time) => left + (time - view.from) * perSec;
  const yOf = (value) => TRACK_PX - TRACK_PAD_PX - ((value - low) / span) * (TRACK_PX - 2 * TRACK_PAD_PX);
  pen.fillStyle = looks.palette.paper;
  pen.fillRect(0, 0, width, TRACK_PX);
  const step = stepOfAxis(perSec);
  pen.fillStyle = looks.palette.line;
  for (let k = Math.ceil(view.from / step); k * step <= view.to; k++) {
    pen.fillRect(Math.round(xOf(k * step)), 0, 1, TRACK_PX);
  }
  return { pen, xOf, yOf };
}

function drawTicks(pen, scene, yOf, ticks) {
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const tick of ticks) {
    pen.fillStyle = scene.looks.palette.line;
    pen.fillRect(scene.left - 4, Math.round(yOf(tick)), scene.width - scene.left + 4, 1);
    pen.fillStyle = scene.looks.palette.quiet;
    pen.fillText(String(tick).replace("-", "−"), scene.left - 7, yOf(tick));
  }
}

// Two to four round numbers in a range.
function roundTicks(low, high) {
  const power = 10 ** Math.floor(Math.log10(high - low || 1)),
    ticks = [];
  for (const factor of [5, 2, 1, 0.5, 0.2]) {
    const step = factor * power,
      first = Math.ceil(low / step),
      last = Math.floor(high / step);
    if (last <= first) continue;
    for (let k = first; k <= last; k++) ticks.push(Number((k * step).toPrecision(6)));
    return ticks;
  }
  return [low];
}

function drawTrackName(pen, scene, lines) {
  pen.font = `${scene.left < 140 ? 11 : 13}px system-ui, sans-serif`;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  lines.forEach((text, i) => {
    pen.fillStyle = i ? scene.looks.palette.quiet : scene.looks.palette.ink;
    pen.fillText(shorten(pen, text, scene.left - 40), 6, 14 + 17 * i);
  });
}

// values: (points,) in equal steps; drawn where they are in view, with a gap where one is no number.
function drawTrace(pen, { view }, { xOf, yOf }, { begin_sec: begin, step_sec: step, points }, values, scale) {
  const first = Math.max(Math.floor((view.from - begin) / step), 0);
  const last = Math.min(Math.ceil((view.to - begin) / step), points - 1);
  let down = false;
  pen.beginPath();
  for (let i = first; i <= last; i++) {
    const y = yOf(values[i] * scale);
    if (Number.isNaN(y)) down = false;
    else if (down) pen.lineTo(xOf(begin + i * step), y);
    else {
      pen.moveTo(xOf(begin + i * step), y);
      down = true;
    }
  }
  pen.stroke();
}

function clipToPlot(pen, { left, width }) {
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, width - left, TRACK_PX);
  pen.clip();
}

// curve: { name, values in 255ths }
export function drawCurve(canvas, scene, curve, facts, threshold) {
  const track = startTrack(canvas, scene, 0, 1),
    { pen, yOf } = track,
    { palette, dark } = scene.looks;
  drawTicks(pen, scene, yOf, [0, 0.5, 1]);
  drawTrackName(pen, scene, ["score", curve.name, "- - threshold"]);
  clipToPlot(pen, scene);
  pen.strokeStyle = palette.mark;
  pen.lineWidth = 1;
  pen.setLineDash(THRESHOLD_DASH);
  pen.beginPath();
  const y = Math.floor(yOf(threshold)) + 0.5; // on a row of pixels
  pen.moveTo(scene.left, y);
  pen.lineTo(scene.width, y);
  pen.stroke();
  pen.setLineDash([]);
  pen.strokeStyle = TRACES[dark ? "dark" : "light"][0];
  pen.lineWidth = 1.6;
  drawTrace(pen, scene, track, facts, curve.values, 1 / 255);
  pen.restore();
}

// facts: { label, names, begin_sec, step_sec, points, off: channels that are not drawn }; values: one channel after the
// other.
export function drawSignal(canvas, scene, facts, values) {
  const isOff = (i) => facts.off?.has(Math.floor(i / facts.points));
  const known = values.filter((value, i) => Number.isFinite(value) && !isOff(i));
  const extreme = (choose) => known.reduce((a, b) => choose(a, b));
  const range = known.length ? [extreme(Math.min), extreme(Math.max)] : [0, 1];
  const track = startTrack(canvas, scene, ...range),
    { pen, yOf } = track;
  drawTicks(pen, scene, yOf, roundTicks(...range));
  const label = facts.label.match(/^(.*?)\s*(\[.*\])$/) ?? [facts.label, facts.label];
  drawTrackName(pen, scene, label.slice(1));
  const colors = TRACES[scene.looks.dark ? "dark" : "light"],
    pick = (list, i) => list[i % list.length];
  const dress = (i) => {
    pen.strokeStyle = pick(colors, i);
    pen.setLineDash(pick(DASHES, i));
    pen.lineWidth = 1;
  };
  clipToPlot(pen, scene);
  facts.names.forEach((_, i) => {
    if (facts.off?.has(i)) return;
    dress(i);
    drawTrace(pen, scene, track, facts, values.subarray(i * facts.points, (i + 1) * facts.points), 1);
  });
  pen.restore();
  drawTraceLegend(pen, scene, facts.names, dress);
}

// Up to six names, three a column, below the label; more would not fit.
function drawTraceLegend(pen, scene, names, dress) {
  if (names.length < 2 || names.length > 6) return;
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "left";
  const columns = Math.ceil(names.length / 3),
    wide = (scene.left - 44) / columns;
  names.forEach((name, i) => {
    const x = 6 + wide * Math.floor(i / 3),
      y = 46 + 14 * (i % 3);
    dress(i);
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(x + 22, y);
    pen.stroke();
    pen.setLineDash([]);
    pen.fillStyle = scene.looks.palette.quiet;
    pen.fillText(shorten(pen, name, wide - 30), x + 27, y);
  });
}
