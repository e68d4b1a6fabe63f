// Colours, patterns and letters: those of afkit/workbench/view/style.py, each kind told apart without colour, too.

import { shorten } from "./pens.js";
import { FOUND, HIT, KINDS, MISS } from "./segments.js";

const LETTERS = ["", "M", "", "L", "D", "W", "C", "B"];
const FEWEST_LETTERS = 3; // of a class's name, to be worth their room
const HATCHES = ["", "rise", "", "fall", "flat", "cross", "dots", "upright"];
export const LIGHT = {
  paper: "#ffffff",
  ink: "#222222",
  quiet: "#5c5c5c",
  line: "#d8d8d8",
  window: "rgba(0, 114, 178, 0.14)",
  mark: "#000000",
  beside: "#d55e00",
  fill: ["#cfcfcf", "#ffffff", "#0072b2", "#f7dca0", "#cbe6f7", "#e6cdf0", "#c3e8dd", "#fde3c4"],
  edge: ["#555555", "#a8447c", "#00324f", "#8a5d00", "#1f6f9c", "#6b2b86", "#00674b", "#c04f00"],
};
export const DARK = {
  paper: "#16181b",
  ink: "#e6e6e6",
  quiet: "#a8a8a8",
  line: "#3b4046",
  window: "rgba(86, 180, 233, 0.22)",
  mark: "#ffffff",
  beside: "#ff9a55",
  fill: ["#575c63", "#16181b", "#4aa3dc", "#4d3a0c", "#183c52", "#3f2450", "#0f4234", "#54290c"],
  edge: ["#c8c8c8", "#f09cc8", "#d5edff", "#f2bd4a", "#7cc4ee", "#d49bee", "#57d3b0", "#ff9a55"],
};

// JupyterLab says which theme it has; elsewhere the system does.
export function isDark(element) {
  const themed = element.closest("[data-jp-theme-light]");
  if (themed) return themed.getAttribute("data-jp-theme-light") === "false";
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}

// Tiles of 8 x 8 pixels for all kinds, to fill wide bars with.
export function makePatterns(context, palette) {
  return KINDS.map((_, kind) => {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.fillStyle = palette.fill[kind];
    pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = pen.fillStyle = palette.edge[kind];
    pen.globalAlpha = 0.55;
    drawHatch(pen, HATCHES[kind]);
    return context.createPattern(tile, "repeat");
  });
}

function drawHatch(pen, hatch) {
  const line = (x, y, toX, toY) => {
    pen.moveTo(x, y);
    pen.lineTo(toX, toY);
  };
  pen.beginPath();
  if (hatch === "rise" || hatch === "cross") [-8, 0, 8].forEach((x) => line(x - 1, 9, x + 9, -1));
  if (hatch === "fall" || hatch === "cross") [-8, 0, 8].forEach((x) => line(x - 1, -1, x + 9, 9));
  if (hatch === "flat") [1.5, 5.5].forEach((y) => line(0, y, 8, y));
  if (hatch === "upright") [1.5, 5.5].forEach((x) => line(x, 0, x, 8));
  if (hatch === "dots")
    [
      [1, 1],
      [5, 5],
    ].forEach(([x, y]) => pen.fillRect(x, y, 2, 2));
  pen.stroke();
}

// A bar as the canvas and the legend draw it; narrow bars are plain.
export function drawBar(pen, looks, kind, x, y, width, height) {
  const { palette, patterns } = looks;
  pen.save();
  pen.translate(x, y); // so that the pattern moves with its bar
  pen.fillStyle = width >= 5 && HATCHES[kind] ? patterns[kind] : palette.fill[kind];
  pen.fillRect(0, 0, width, height);
  pen.strokeStyle = palette.edge[kind];
  pen.setLineDash(kind === MISS ? [3, 2] : []);
  pen.lineWidth = 1;
  pen.strokeRect(0.5, 0.5, Math.max(width - 1, 0.5), Math.max(height - 1, 0.5));
  pen.restore();
}

export function drawLetter(pen, looks, kind, x, y, width, height) {
  if (!LETTERS[kind] || width < 15 || height < 9) return;
  const size = Math.min(height - 2, 11);
  pen.fillStyle = looks.palette.paper;
  pen.fillRect(x + width / 2 - size / 2, y + (height - size) / 2, size, size);
  pen.fillStyle = looks.palette.edge[kind];
  pen.font = `bold ${size}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(LETTERS[kind], x + width / 2, y + height / 2 + 0.5);
}

// The letter and as much of the class's name as there is room for.
export function drawName(pen, looks, kind, name, x, y, width, height) {
  pen.font = "11px system-ui, sans-serif";
  const whole = LETTERS[kind] ? `${LETTERS[kind]}: ${name}` : name,
    text = shorten(pen, whole, width - 12);
  const tooShort = text !== whole && text.length < whole.length - name.length + FEWEST_LETTERS + 1;
  if (height < 11 || tooShort) return drawLetter(pen, looks, kind, x, y, width, height);
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillStyle = looks.palette.paper;
  pen.fillRect(x + 4, y + height / 2 - 5.5, pen.measureText(text).width + 4, 11);
  pen.fillStyle = looks.palette.ink;
  return pen.fillText(text, x + 6, y + height / 2 + 0.5);
}

// The narrowest colour of a kind: where bars are too narrow to have an edge, or many share a pixel.
export function plainColor(palette, kind) {
  return kind === FOUND || kind === HIT ? palette.fill[kind] : palette.edge[kind];
}
