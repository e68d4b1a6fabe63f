// What each key does, and the panel that says so.

import { make } from "./controls.js";
import { editKey } from "./edit_keys.js";
import { look, pan, pick, zoom } from "./looking.js";
import { step } from "./showing.js";

const toggle = (name) => (panel) => panel.set({ [name]: !panel.state[name] });
const toggleSide = (name) => (panel) => toggle(name)(panel.group.panels[0]); // of several runs, the first one's
const scroll = (by) => (panel) => panel.parts.scroller.scrollBy(0, by);
// [keys, action, words]; keys of one line do the same, but for a sign in the words.
const GROUPS = {
  "Look around": [
    [["ArrowLeft"], (panel) => pan(panel, -0.2), "back in time"],
    [["ArrowRight"], (panel) => pan(panel, 0.2), "on in time"],
    [["ArrowUp"], scroll(-40), "up through the lanes"],
    [["ArrowDown"], scroll(40), "down through the lanes"],
    [["+", "="], (panel) => zoom(panel, 0.5), "look closer (also Ctrl and the wheel, or two fingers)"],
    [["-"], (panel) => zoom(panel, 2), "look wider"],
    [["0"], (panel) => look(panel, panel.scene.view.begin, panel.scene.view.end), "the whole recording"],
  ],
  Review: [
    [["n"], (panel) => step(panel, 1), "the next in the list, also of another recording"],
    [["p"], (panel) => step(panel, -1), "the one before in the list"],
    [["l"], toggleSide("listOpen"), "show or hide the list of the run"],
    [["t"], toggleSide("tableOpen"), "show or hide the table of classes"],
    [["Escape"], (panel) => pick(panel, []), "close what is open, then select nothing"],
    [["?"], (panel) => showHelp(panel), "these keys"],
  ],
  "Film and sound": [
    [[" "], (panel) => panel.film?.toggle(), "play and pause"],
    [[","], (panel) => panel.film?.stepFrame(-1), "one frame back"],
    [["."], (panel) => panel.film?.stepFrame(1), "one frame on"],
    [["r"], toggle("loops"), "repeat the selected segment"],
    [["s"], toggle("sound"), "sound on and off"],
  ],
};
const EDITING = [
  ["e", "begin and end editing; then drag an end or the middle, or draw on empty space"],
  ["j k", "next annotation, the one before"],
  ["[ ] m", "take hold of its start, its end, or all of it"],
  ["← →", "move that by 0.1 s (with Shift 1 s)"],
  ["1 … 9 /", "its class, or that of the next new one; find a class by typing"],
  ["Insert", "add an annotation in the middle of what is seen"],
  ["i o", "start and end at the cursor, also while it plays: of the selected one, else of a new one"],
  ["a x", "accept the selected prediction; let it replace the annotation below"],
  ["A", "accept all predictions shown from a score on"],
  ["b g", "split at the cursor; merge with the next of its class"],
  ["c", "comment on it"],
  ["Delete", "delete the annotation"],
  ["d u", "this recording is done; is unsure"],
  ["Alt", "held while dragging: ends do not stop at those of others"],
  ["Ctrl+Z", "undo (with Shift: do again)"],
];
const SIGNS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "Space", Escape: "Esc", "-": "−" };
const ACTIONS = new Map(
  Object.values(GROUPS)
    .flat()
    .flatMap(([keys, action]) => keys.map((key) => [key, action])),
);

// Keys work wherever the focus is within the inspector, but for fields in which one types, and also while nothing on
// the page has the focus. Returns a function that stops listening.
export function listenToKeys(panel) {
  const { root } = panel;
  const onRoot = (event) => handleKey(panel, event);
  const onPage = (event) => {
    const first = document.querySelector(".afkit-inspector") === root; // of several, one
    if (first && event.target === document.body) handleKey(panel, event);
  };
  root.addEventListener("keydown", onRoot);
  document.addEventListener("keydown", onPage);
  root.addEventListener("click", (event) => leaveControl(panel, event));
  root.addEventListener("change", (event) => leaveControl(panel, event));
  return () => document.removeEventListener("keydown", onPage);
}

// What was clicked gives the focus back, so that the next key is not its own. (Keys press a button with detail 0.)
function leaveControl({ canvas, root }, event) {
  const control = event.target;
  const done =
    event.type === "click"
      ? event.detail > 0 && control.closest("button, .rows, input[type=checkbox]")
      : control.matches("select");
  if (done && root.contains(document.activeElement)) canvas.focus({ preventScroll: true });
}

function isTyping({ target, key }) {
  if (target.matches("input[type=search], input[type=number], textarea")) return key !== "Escape";
  if (target.matches("select, input[type=range]")) {
    return /^(Arrow|Home|End|Page)/.test(key) || (target.matches("select") && key.length === 1);
  }
  return target.matches("button, summary, input") && (key === " " || key === "Enter");
}

function handleKey(panel, event) {
  const { scene } = panel,
    command = event.ctrlKey || event.metaKey || event.altKey;
  if (!scene.segments || event.defaultPrevented || isTyping(event)) return;
  const closes = event.key === "Escape" && closeOpen(panel);
  if (!closes && !editKey(panel, event)) {
    if (!ACTIONS.has(event.key) || (command && !event.getModifierState("AltGraph"))) return;
    ACTIONS.get(event.key)(panel);
  }
  event.preventDefault();
  event.stopPropagation();
}

// Close the lists that are open, but for one around `target`; whether there was one.
export function closeOpen({ root, parts, canvas }, target = null) {
  const open = [...root.querySelectorAll("details[open]")].filter((one) => !one.contains(target));
  for (const one of open) one.removeAttribute("open");
  const helped = !parts.help.hidden && !parts.help.contains(target);
  if (helped) parts.help.hidden = true;
  if ((open.length || helped) && !target) canvas.focus({ preventScroll: true });
  return open.length > 0 || helped;
}

export function showHelp({ parts }) {
  parts.help.hidden = !parts.help.hidden;
}

export function helpPanel(panel) {
  const lines = (rows) =>
    make("dl", {}, ...rows.flatMap(([keys, words]) => [make("dt", {}, keys), make("dd", {}, words)]));
  const parts = Object.entries(GROUPS).map(([title, rows]) => {
    const named = rows.map(([keys, , words]) => [keys.map((key) => SIGNS[key] ?? key).join(" "), words]);
    return make("section", {}, make("h3", {}, title), lines(named));
  });
  if (panel.source.correct) parts.push(make("section", {}, make("h3", {}, "Correct annotations"), lines(EDITING)));
  const where =
    "Keys are the inspector's as soon as its page is there; in a notebook, while the pointer is over it, or once something in it was clicked.";
  parts.push(make("p", { class: "help" }, where));
  const close = make("button", { type: "button", onclick: () => closeOpen(panel) }, "close (Esc)");
  const help = make("div", { class: "keys", role: "dialog", "aria-label": "keys", hidden: "" }, ...parts, close);
  return help;
}
