// All that a panel listens to; each listener works on the panel alone.

import { listenToHover } from "./focus.js";
import { listenToOverview, listenToPointer, listenToWheel } from "./gestures.js";
import { closeOpen, listenToKeys } from "./keys.js";
import { applyTheme, fitSize, redraw } from "./looking.js";

// Returns a function that stops listening to what outlives the panel.
export function listen(panel) {
  listenToPointer(panel);
  listenToWheel(panel);
  listenToOverview(panel);
  listenToHover(panel);
  panel.parts.scroller.addEventListener("scroll", () => redraw(panel));
  const stops = [listenToKeys(panel), listenToSurroundings(panel), listenToOutside(panel)];
  return () => stops.forEach((stop) => stop());
}

// A press outside closes lists.
function listenToOutside(panel) {
  const press = (event) => closeOpen(panel, event.target);
  document.addEventListener("pointerdown", press);
  return () => document.removeEventListener("pointerdown", press);
}

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
