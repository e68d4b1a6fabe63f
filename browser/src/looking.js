// Which part of the video is looked at, what is picked in it, and when it is drawn.

import { legend, segmentLines } from "./controls.js";
import { drawOverview, drawScene } from "./drawing.js";
import { rowOf } from "./lanes.js";
import { DARK, isDark, LIGHT, makePatterns } from "./looks.js";
import { AXIS_PX } from "./pens.js";
import { counterpartOf } from "./segments.js";

const MOST_LANES_PX = 520,
  LEAST_LANES_PX = 180;

export function fitSize(panel) {
  const { scene, parts } = panel;
  scene.width = Math.max(parts.stage.clientWidth, 200);
  scene.left = scene.width < 700 ? 116 : 168;
  const room = (window.innerHeight - 330) / panel.group.number; // what else is to be seen without scrolling
  scene.height = Math.min(scene.contentHeight + AXIS_PX, Math.max(Math.min(MOST_LANES_PX, room), LEAST_LANES_PX));
  parts.scroller.style.height = `${scene.height}px`;
  parts.spacer.style.height = `${scene.contentHeight + AXIS_PX - scene.height}px`;
  scene.width = Math.max(parts.scroller.clientWidth, 200); // less a scroll bar
  applyTheme(panel);
}

export function applyTheme(panel) {
  const { root, scene, canvas } = panel,
    dark = isDark(root),
    ratio = window.devicePixelRatio;
  if (!scene.looks || scene.looks.dark !== dark || scene.looks.ratio !== ratio) {
    const palette = dark ? DARK : LIGHT;
    scene.looks = { dark, ratio, palette, patterns: makePatterns(canvas.getContext("2d"), palette) };
    root.classList.toggle("dark", dark);
    panel.parts.key.replaceChildren(...legend(scene.looks, panel.info));
  }
  redraw(panel);
}

export function redraw(panel) {
  if (panel.waiting || !panel.scene.segments) return;
  panel.waiting = true;
  requestAnimationFrame(() => {
    panel.waiting = false;
    drawPanel(panel);
  });
}

export function drawPanel({ root, canvas, scene, parts, kept }) {
  scene.scrollTop = parts.scroller.scrollTop;
  drawScene(canvas, scene);
  drawOverview(parts.overview, scene, kept);
  root.dispatchEvent(new CustomEvent("drawn"));
}

// A part of the video that is too short, too long or beyond its ends becomes the nearest that is not.
export function look(panel, from, to) {
  const { view } = panel.state,
    longest = view.end - view.begin;
  const span = Math.min(Math.max(to - from, Math.max(longest * 1e-5, 0.02)), longest);
  const start = Math.min(Math.max((from + to - span) / 2, view.begin), view.end - span);
  panel.set({ view: { ...view, from: start, to: start + span } });
}

export function zoom(panel, factor, around = (panel.state.view.from + panel.state.view.to) / 2) {
  const { from, to } = panel.state.view;
  look(panel, around + (from - around) * factor, around + (to - around) * factor);
}

export function pan(panel, share) {
  const { from, to } = panel.state.view,
    by = share * (to - from);
  look(panel, from + by, to + by);
}

export function pick(panel, rows) {
  const { source, parts } = panel;
  panel.set({ picked: rows, part: null });
  markCounterpart(panel);
  source.pick(rows);
  const lines = rows.length ? segmentLines(panel, rows.at(-1)) : [];
  parts.said.textContent = lines.join(", ");
}

// What the segment picked last is to be seen beside.
export function markCounterpart({ scene, state }) {
  const row = state.picked.at(-1) ?? -1;
  scene.counterpart = row >= 0 ? counterpartOf(scene.segments, scene.shown, row) : -1;
}

// Pick, and set the cursor (and the film) to the onset of what was picked last.
export function choose(panel, rows) {
  pick(panel, rows);
  if (rows.length) restCursor(panel, Math.max(panel.scene.segments.start[rows.at(-1)], 0));
}

// The cursor at a time where it stays; null for nowhere.
export function restCursor(panel, seconds) {
  panel.set({ restSec: seconds, cursorSec: seconds });
}

// Pick a segment, and bring it and its counterpart into view.
export function goTo(panel, row) {
  const { segments, shown, view } = panel.scene,
    other = counterpartOf(segments, shown, row);
  const both = other >= 0 ? [row, other] : [row];
  const start = Math.min(...both.map((one) => segments.start[one])),
    end = Math.max(...both.map((one) => segments.end[one]));
  const width = Math.max(Math.min(view.to - view.from, Math.max(20 * (end - start), 5)), 2 * (end - start));
  look(panel, (start + end - width) / 2, (start + end + width) / 2);
  for (const one of both.reverse()) scrollToRow(panel, one); // its own row last
  choose(panel, [row]);
}

function scrollToRow({ scene, parts: { scroller } }, row) {
  const place = rowOf(scene.lanes, scene.segments, row),
    height = scene.height - AXIS_PX;
  if (!place) return;
  if (place.top < scroller.scrollTop || place.top + place.height > scroller.scrollTop + height) {
    scroller.scrollTop = place.top - height / 2;
  }
}
