// Which part of the video is looked at, what is picked in it, and when it is drawn.

import { legend, segmentLines } from "./controls.js";
import { AXIS_PX, drawOverview, drawScene } from "./drawing.js";
import { DARK, isDark, LIGHT, makePatterns } from "./looks.js";
import { rowOf } from "./segments.js";

export function fitSize(panel) {
  const { scene, parts } = panel;
  scene.width = Math.max(parts.stage.clientWidth, 200);
  scene.left = scene.width < 700 ? 116 : 168;
  scene.height = Math.min(scene.contentHeight + AXIS_PX, 520);
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
    panel.parts.key.replaceChildren(...legend(scene.looks));
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
  const { scene, source, parts } = panel;
  panel.set({ picked: rows, part: null });
  source.pick(rows);
  const lines = rows.length ? segmentLines(scene.segments, scene.shown, scene.names, rows.at(-1)) : [];
  parts.said.textContent = lines.join(", ");
}

// To the next error after the picked segment, or after the left edge of the view; round at the end.
export function step(panel, direction) {
  const { scene, state, parts } = panel;
  if (!scene.errors?.length) {
    parts.said.textContent = "There is no error among the segments shown.";
    return;
  }
  const { start } = scene.segments,
    from = state.picked.at(-1);
  const after = from ?? start.findIndex((time) => time >= scene.view.from) - 0.5;
  const ahead = scene.errors.filter((row) => (row - after) * direction > 0);
  goTo(panel, direction > 0 ? (ahead[0] ?? scene.errors[0]) : (ahead.at(-1) ?? scene.errors.at(-1)));
}

// Pick a segment and bring it into view.
export function goTo(panel, row) {
  const { segments, view } = panel.scene;
  const length = segments.end[row] - segments.start[row],
    middle = segments.start[row] + length / 2;
  const width = Math.max(Math.min(view.to - view.from, Math.max(20 * length, 5)), 2 * length);
  look(panel, middle - width / 2, middle + width / 2);
  scrollToRow(panel, row);
  pick(panel, [row]);
}

function scrollToRow({ scene, parts: { scroller } }, row) {
  const place = rowOf(scene.lanes, scene.segments, row),
    height = scene.height - AXIS_PX;
  if (place.top < scroller.scrollTop || place.top + place.height > scroller.scrollTop + height) {
    scroller.scrollTop = place.top - height / 2;
  }
}
