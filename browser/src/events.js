// Pointer, wheel, keys, size and theme. Each listener works on the panel alone.

import { segmentLines } from "./controls.js";
import { dragHeld, editCursor, letGo, takeHold } from "./dragging.js";
import { AXIS_PX } from "./drawing.js";
import { editKey } from "./editing.js";
import { applyTheme, fitSize, look, pan, pick, redraw, step, zoom } from "./looking.js";
import { segmentAt } from "./segments.js";

export function listen(panel) {
  listenToPointer(panel);
  listenToWheel(panel);
  listenToKeys(panel);
  listenToOverview(panel);
  panel.parts.scroller.addEventListener("scroll", () => redraw(panel));
  return listenToSurroundings(panel);
}

export function timeAt({ view, left, width }, x) {
  return view.from + ((x - left) / (width - left)) * (view.to - view.from);
}

// The row of the segment below the pointer, -1 for none.
export function rowUnder({ scene, parts }, event) {
  if (!scene.segments || event.offsetX < scene.left || event.offsetY < AXIS_PX) return -1;
  const slack = (3 * (scene.view.to - scene.view.from)) / (scene.width - scene.left); // 3 pixels
  const y = event.offsetY - AXIS_PX + parts.scroller.scrollTop;
  return segmentAt(scene.segments, scene.lanes, timeAt(scene, event.offsetX), y, slack);
}

export function hover(panel, row, event) {
  const {
    scene,
    state,
    canvas,
    parts: { tooltip, stage },
  } = panel;
  tooltip.hidden = row < 0;
  if (row >= 0) {
    if (row !== state.hovered) {
      tooltip.textContent = segmentLines(scene.segments, scene.shown, scene.names, row).join("\n");
    }
    const right = event.offsetX > scene.width / 2;
    tooltip.style.left = right ? "" : `${event.offsetX + 14}px`;
    tooltip.style.right = right ? `${stage.clientWidth - event.offsetX + 14}px` : "";
    tooltip.style.top = `${event.offsetY + 12}px`;
  }
  panel.set({ hovered: row });
  canvas.style.cursor = editCursor(panel, row, event) || (row >= 0 ? "pointer" : "grab");
}

// Dragging moves the view, or in edit mode what it took hold of; a click picks.
function listenToPointer(panel) {
  const { canvas, scene } = panel;
  let drag = null; // { x, from, to, moved, held }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !scene.segments) return;
    drag = { x: event.offsetX, from: scene.view.from, to: scene.view.to, moved: false, held: takeHold(panel, event) };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return void hover(panel, rowUnder(panel, event), event);
    const moved = event.offsetX - drag.x;
    drag.moved ||= Math.abs(moved) > 3;
    if (!drag.moved) return;
    hover(panel, -1, event);
    if (drag.held) return void dragHeld(panel, drag.held, event);
    const span = drag.to - drag.from,
      by = (-moved / (scene.width - scene.left)) * span;
    const from = Math.min(Math.max(drag.from + by, scene.view.begin), scene.view.end - span);
    look(panel, from, from + span);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved) clickOn(panel, rowUnder(panel, event), event);
    drag = null;
    letGo(panel, true);
  });
  canvas.addEventListener("pointercancel", () => {
    drag = null;
    letGo(panel, false);
  });
  canvas.addEventListener("pointerleave", (event) => hover(panel, -1, event));
}

// With Shift, Ctrl or Cmd a click adds to what is picked, or takes out of it.
function clickOn(panel, row, event) {
  const { picked } = panel.state,
    more = event.shiftKey || event.ctrlKey || event.metaKey;
  const others = more ? picked.filter((one) => one !== row) : [];
  const off = more && picked.includes(row);
  pick(panel, row < 0 || off ? others : [...others, row]);
}

function listenToWheel(panel) {
  const { canvas, scene } = panel;
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!scene.segments || event.offsetX < scene.left) return; // over the names it scrolls
      event.preventDefault();
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        pan(panel, Math.sign(event.deltaX || event.deltaY) * 0.1);
      } else {
        zoom(panel, Math.exp(Math.min(Math.max(event.deltaY, -240), 240) * 0.002), timeAt(scene, event.offsetX));
      }
    },
    { passive: false },
  );
}

function listenToKeys(panel) {
  const {
    scene,
    parts: { scroller },
  } = panel;
  const keys = {
    ArrowLeft: () => pan(panel, -0.2),
    ArrowRight: () => pan(panel, 0.2),
    ArrowUp: () => scroller.scrollBy(0, -40),
    ArrowDown: () => scroller.scrollBy(0, 40),
    "+": () => zoom(panel, 0.5),
    "=": () => zoom(panel, 0.5),
    "-": () => zoom(panel, 2),
    0: () => look(panel, scene.view.begin, scene.view.end),
    n: () => step(panel, 1),
    p: () => step(panel, -1),
    Escape: () => pick(panel, []),
  };
  panel.canvas.addEventListener("keydown", (event) => {
    if (!scene.segments) return;
    if (!editKey(panel, event)) {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      keys[event.key]();
    }
    event.preventDefault();
    event.stopPropagation();
  });
}

function listenToOverview(panel) {
  const {
    scene,
    parts: { overview },
  } = panel;
  const centre = (event) => {
    if (!event.buttons || !scene.segments) return;
    const { begin, end, from, to } = scene.view,
      half = (to - from) / 2;
    const share = (event.offsetX - scene.left) / (scene.width - scene.left);
    const middle = begin + share * (end - begin);
    look(panel, middle - half, middle + half);
  };
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    centre(event);
  });
  overview.addEventListener("pointermove", centre);
}

// Size and theme. Returns a function that stops listening.
function listenToSurroundings(panel) {
  const {
    scene,
    parts: { stage },
  } = panel;
  const sizes = new ResizeObserver(() => {
    if (!scene.segments || stage.clientWidth === scene.stageWidth) return;
    scene.stageWidth = stage.clientWidth;
    fitSize(panel);
  });
  sizes.observe(stage);
  const theme = () => scene.segments && applyTheme(panel);
  const themes = new MutationObserver(theme);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", theme);
  return () => {
    sizes.disconnect();
    themes.disconnect();
    dark.removeEventListener("change", theme);
  };
}
