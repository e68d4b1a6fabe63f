// One run, or several of the same videos, one above the other: what is done in one is done in all.

import { make } from "./controls.js";
import { redraw } from "./looking.js";
import { createPanel } from "./panel.js";
import { createTracks } from "./tracks.js";

const SHARED = ["minScore", "topK", "stacked", "curves", "curveOf", "cursorSec", "restSec"];

export function openInspectors(root, sources) {
  const several = sources.length > 1;
  const roots = several ? sources.map(() => make("section", {})) : [root];
  if (several) {
    root.classList.add("afkit-compared");
    root.append(...roots);
  }
  const panels = [],
    inspectors = { panels, leader: null, number: sources.length, dispose: () => panels.forEach(closeInspector) };
  for (const [i, source] of sources.entries()) {
    if (several) source.letter = String.fromCharCode(65 + i);
    openInspector(roots[i], source, inspectors);
  }
  if (several) {
    root.inspector = inspectors;
    panels.forEach((panel) => shareActions(inspectors, panel));
    giveRoom(root, panels[0].parts.side);
    shareView(inspectors, panels[0]);
  }
  return inspectors;
}

function openInspector(root, source, group) {
  const panel = createPanel(root, source, group);
  panel.tracks = createTracks(panel, source);
  root.inspector = panel; // for the console, tests and benchmarks
}

function closeInspector(panel) {
  panel.dispose();
  panel.tracks.dispose();
}

// What stands beside the lanes is about all runs, and reaches down beside all of them.
function giveRoom(root, side) {
  const sizes = new ResizeObserver(() => {
    root.style.setProperty("--side", `${side.offsetWidth ? side.offsetWidth + 10 : 0}px`);
    root.style.setProperty("--side-height", `${side.offsetTop + side.offsetHeight + 30}px`);
  });
  sizes.observe(side);
}

function shareActions(inspectors, panel) {
  const lead = () => {
    inspectors.leader = panel;
  };
  for (const type of ["pointerdown", "pointermove", "wheel", "keydown", "input", "change", "play"]) {
    panel.root.addEventListener(type, lead, { capture: true, passive: true });
  }
  panel.root.addEventListener("drawn", () => shareView(inspectors, panel));
  panel.listen((names) => {
    if (names.has("picked")) redraw(inspectors.panels[0]); // its list
    if (!names.has("cursorSec") || panel !== inspectors.leader) return;
    for (const other of inspectors.panels) other.set({ cursorSec: panel.state.cursorSec });
  });
}

// The others follow the one that was used last.
function shareView({ panels, leader }, drawn) {
  if (!panels.every((panel) => panel.scene.segments)) return;
  const { video, tiou } = leader.state;
  if (panels.every((panel) => panel.state.video === video)) alignEnds(panels);
  if (drawn !== leader) return;
  for (const other of panels.filter((panel) => panel !== leader)) {
    if (other.state.video !== video || other.state.tiou !== tiou) other.showVideo(video, tiou);
    followLeader(other, leader);
  }
}

// Predictions beyond the end of a video make the whole of one run longer than that of another.
function alignEnds(panels) {
  const views = panels.map((panel) => panel.state.view);
  const begin = Math.min(...views.map((view) => view.begin)),
    end = Math.max(...views.map((view) => view.end));
  for (const [i, panel] of panels.entries()) {
    const view = views[i],
      whole = view.from === view.begin && view.to === view.end;
    if (view.begin === begin && view.end === end) continue;
    panel.set({ view: whole ? { begin, end, from: begin, to: end } : { ...view, begin, end } });
    panel.filter();
  }
}

function followLeader(other, { state, info }) {
  const shared = Object.fromEntries(SHARED.map((name) => [name, state[name]]));
  const hidden = [...state.hidden].map((label) => other.info.classes.indexOf(info.classes[label])); // -1 hides nothing
  const same = hidden.length === other.state.hidden.size && hidden.every((label) => other.state.hidden.has(label));
  other.set({ ...shared, hidden: same ? other.state.hidden : new Set(hidden) });
  const { from, to } = state.view,
    { view } = other.state;
  if (Math.abs(view.from - from) + Math.abs(view.to - to) > 1e-9 * (to - from)) other.look(from, to);
}
