// src/segments.js
var KINDS = [
  "ground truth",
  "miss",
  "hit",
  "localisation",
  "double detection",
  "wrong label",
  "confusion",
  "background"
];
var FOUND = 0;
var MISS = 1;
var HIT = 2;
var HIDDEN = -1;
var GT_ROW_PX = 17;
var ROW_PX = 19;
var LANE_GAP_PX = 8;
var FULL_ROWS = 3;
var MIN_ROW_PX = 7;
var MAX_ROWS = 12;
var NARROWEST = 1 / 4e3;
function segmentColumns(facts, matching) {
  const n = facts.length / 5;
  const [start, end, label, score, place] = [0, 1, 2, 3, 4].map((i) => facts.subarray(i * n, (i + 1) * n));
  const [kind, partner, tiou] = [0, 1, 2].map((i) => matching.subarray(i * n, (i + 1) * n));
  return { n, start, end, label, score, place, kind, partner, tiou };
}
function isTruth(segments, i) {
  return Number.isNaN(segments.score[i]);
}
function shownKinds(segments, settings) {
  const { n, label, score, place, kind, partner } = segments;
  const passes = (i) => score[i] >= settings.minScore && (settings.topK === 0 || place[i] < settings.topK);
  const shown = new Int8Array(n).fill(HIDDEN);
  for (let i = 0; i < n; i++) {
    if (settings.hidden.has(label[i])) continue;
    if (isTruth(segments, i)) shown[i] = partner[i] >= 0 && passes(partner[i]) ? FOUND : MISS;
    else if (passes(i)) shown[i] = kind[i];
  }
  return shown;
}
function isError(kind) {
  return kind !== HIDDEN && kind !== FOUND && kind !== HIT;
}
function arrangeLanes(segments, shown, spanSec, stacked = false) {
  if (stacked) return stackLanes(segments, shown, spanSec);
  const ofClass = /* @__PURE__ */ new Map();
  for (let i = 0; i < segments.n; i++) {
    if (shown[i] === HIDDEN) continue;
    const truth = isTruth(segments, i);
    const label = segments.label[i];
    if (!ofClass.has(label)) ofClass.set(label, { truth: [], found: [], order: Infinity });
    const lane = ofClass.get(label);
    (truth ? lane.truth : lane.found).push(i);
    lane.order = Math.min(lane.order, truth ? i : segments.n + segments.place[i]);
  }
  const narrowest = spanSec * NARROWEST;
  const lanes = [...ofClass].sort((a, b) => a[1].order - b[1].order);
  let top = LANE_GAP_PX / 2;
  return lanes.map(([label, { truth, found }]) => {
    const rows = placeRows(segments, truth, narrowest, top, GT_ROW_PX, 2);
    const below = placeRows(segments, found, narrowest, top + rows.height, ROW_PX, FULL_ROWS);
    const lane = { label, top, height: Math.max(rows.height + below.height, GT_ROW_PX), rows: [...rows, ...below] };
    top += lane.height + LANE_GAP_PX;
    return lane;
  });
}
function stackLanes(segments, shown, spanSec) {
  let top = LANE_GAP_PX / 2;
  return ["ground truth", "predictions"].map((name, p) => {
    const truth = p === 0, ids = [...shown.keys()].filter((i) => shown[i] !== HIDDEN && isTruth(segments, i) === truth);
    const rowPx = truth ? GT_ROW_PX : ROW_PX;
    const rows = placeRows(segments, ids, spanSec * NARROWEST, top, rowPx, MAX_ROWS);
    const lane = { label: -1, name, truth, top, height: Math.max(rows.height, rowPx), rows: [...rows] };
    top += lane.height + LANE_GAP_PX;
    return lane;
  });
}
function placeRows(segments, ids, narrowest, top, rowPx, fullRows) {
  const ends = [], rows = [];
  for (const i of ids) {
    let row = ends.findIndex((end2) => end2 <= segments.start[i]);
    if (row < 0) row = ends.length < MAX_ROWS ? ends.length : ends.indexOf(Math.min(...ends));
    if (row === rows.length) rows.push({ ids: [], reach: [] });
    const end = Math.max(segments.end[i], segments.start[i] + narrowest);
    ends[row] = Math.max(end, ends[row] ?? -Infinity);
    rows[row].ids.push(i);
    rows[row].reach.push(ends[row]);
  }
  const height = Math.max(rowPx * Math.min(1, fullRows / Math.max(rows.length, 1)), MIN_ROW_PX);
  rows.forEach((row, r) => Object.assign(row, { top: top + r * height, height }));
  rows.height = rows.length * height;
  return rows;
}
function firstReaching(row, time) {
  let low = 0, high = row.reach.length;
  while (low < high) {
    const middle = low + high >> 1;
    if (row.reach[middle] > time) high = middle;
    else low = middle + 1;
  }
  return low;
}
function segmentAt(segments, lanes, time, y, slack) {
  const lane = lanes.find((one) => y >= one.top && y < one.top + one.height);
  const row = lane?.rows.find((one) => y >= one.top && y < one.top + one.height);
  if (!row) return -1;
  let best = -1, bestKey = Infinity;
  for (let p = firstReaching(row, time - slack); p < row.ids.length; p++) {
    const i = row.ids[p];
    if (segments.start[i] > time + slack) break;
    const away = Math.max(segments.start[i] - time, time - segments.end[i], 0);
    const key = away * 1e6 + (segments.end[i] - segments.start[i]);
    if (away <= slack && key < bestKey) [best, bestKey] = [i, key];
  }
  return best;
}
function rowOf(lanes, segments, id) {
  const lane = lanes.find((one) => one.label === segments.label[id] || one.truth === isTruth(segments, id));
  return lane?.rows.find((row) => row.ids.includes(id));
}
function shownErrors(segments, shown) {
  const errors = [];
  for (let i = 0; i < segments.n; i++) if (isError(shown[i])) errors.push(i);
  return errors;
}

// src/matching.js
var JUDGED_FROM = 0.1;
function tiouOf({ start, end }, i, j) {
  const overlap = Math.max(Math.min(end[i], end[j]) - Math.max(start[i], start[j]), 0);
  const union = end[i] - start[i] + (end[j] - start[j]) - overlap;
  return union > 0 ? overlap / union : 0;
}
function matchSegments(segments, threshold) {
  const { n, label, place } = segments, columns = new Float32Array(3 * n);
  const [kind, partner, tiou] = [0, 1, 2].map((i) => columns.subarray(i * n, (i + 1) * n));
  const rows = [...Array(n).keys()], truths = rows.filter((i) => isTruth(segments, i));
  const reach = [];
  truths.forEach((i, t) => reach.push(Math.max(segments.end[i], reach[t - 1] ?? -Infinity)));
  kind.fill(MISS);
  partner.fill(-1);
  for (const i of rows.filter((row) => !isTruth(segments, row)).sort((a, b) => place[a] - place[b])) {
    let found = -1, nearest = -1, foundTiou = 0, nearestTiou = 0;
    for (let t = firstReaching({ reach }, segments.start[i]); t < truths.length; t++) {
      const j = truths[t];
      if (segments.start[j] >= segments.end[i]) break;
      const overlap = tiouOf(segments, i, j), own = label[i] === label[j];
      if (overlap === 0) continue;
      if (isNearer(segments, i, j, nearest, overlap - nearestTiou)) [nearest, nearestTiou] = [j, overlap];
      if (!own || kind[j] === FOUND || overlap < threshold) continue;
      if (overlap > foundTiou || overlap === foundTiou && place[j] > place[found]) [found, foundTiou] = [j, overlap];
    }
    if (found >= 0) {
      [kind[i], partner[i], tiou[i]] = [HIT, found, foundTiou];
      [kind[found], partner[found], tiou[found]] = [FOUND, i, foundTiou];
    } else {
      const judged = falseKind(nearestTiou, label[nearest] === label[i], threshold);
      [kind[i], partner[i], tiou[i]] = [judged, nearest, nearestTiou];
    }
  }
  return columns;
}
function isNearer({ label, place }, i, j, nearest, gain) {
  if (gain !== 0) return gain > 0;
  const own = label[j] === label[i], before = label[nearest] === label[i];
  return own === before ? place[j] > place[nearest] : own;
}
function falseKind(tiou, own, threshold) {
  const name = tiou >= threshold ? own ? "double detection" : "wrong label" : tiou >= JUDGED_FROM ? own ? "localisation" : "confusion" : "background";
  return KINDS.indexOf(name);
}

// src/correcting.js
var SHORTEST_SEC = 0.01;
function byOnset(list) {
  return [...list].sort((a, b) => a.start - b.start || a.end - b.end || a.label - b.label);
}
function segmentOf({ start, end, label, score }, row) {
  return { start: start[row], end: end[row], label: label[row], score: score[row] };
}
function truthRows(segments) {
  return [...segments.score.keys()].filter((row) => isTruth(segments, row));
}
function truthOf(segments) {
  return byOnset(truthRows(segments).map((row) => segmentOf(segments, row)));
}
function keyOf({ start, end, label }) {
  return `${start} ${end} ${label}`;
}
function leftOver(list, other) {
  const there = /* @__PURE__ */ new Map();
  for (const key of other.map(keyOf)) there.set(key, (there.get(key) ?? 0) + 1);
  return [...list.keys()].filter((i) => {
    const key = keyOf(list[i]), times = there.get(key) ?? 0;
    if (times) there.set(key, times - 1);
    return !times;
  });
}
function editedRows(segments, original) {
  const rows = truthRows(segments);
  return leftOver(
    rows.map((row) => segmentOf(segments, row)),
    original
  ).map((i) => rows[i]);
}
function sameRow(segments, wanted, row) {
  const same = (one) => {
    const { score, ...other } = segmentOf(segments, one);
    return Object.is(score, wanted.score) && keyOf(other) === keyOf(wanted);
  };
  return row < segments.n && same(row) ? row : [...segments.start.keys()].find(same) ?? -1;
}
function countCorrections(original, list) {
  return Math.max(leftOver(original, list).length, leftOver(list, original).length);
}
function withTruth(segments, list, tiou) {
  const truth = byOnset(list), found = [...segments.score.keys()].filter((row) => !isTruth(segments, row));
  const n = truth.length + found.length, facts = new Float64Array(5 * n);
  let [t, p] = [0, 0];
  for (let i = 0; i < n; i++) {
    const isNext = t < truth.length && (p === found.length || truth[t].start <= segments.start[found[p]]);
    const { start, end, label, score } = isNext ? { ...truth[t], score: NaN } : segmentOf(segments, found[p]);
    const place = isNext ? t++ : segments.place[found[p++]];
    [start, end, label, score, place].forEach((value, column) => facts[column * n + i] = value);
  }
  return [facts, matchSegments(segmentColumns(facts, new Float32Array(3 * n)), tiou)];
}
function rounded(time, limit) {
  return Math.min(Math.max(Math.round(time * 1e3) / 1e3, 0), limit);
}
function moved(segment, part, bySec, limit) {
  const { start, end } = segment;
  if (part === "start") return { ...segment, start: rounded(Math.min(start + bySec, end - SHORTEST_SEC), limit) };
  if (part === "end") return { ...segment, end: rounded(Math.max(end + bySec, start + SHORTEST_SEC), limit) };
  const by = Math.min(Math.max(bySec, -start), limit - end);
  return { ...segment, start: rounded(start + by, limit), end: rounded(end + by, limit) };
}

// src/looks.js
var LETTERS = ["", "M", "", "L", "D", "W", "C", "B"];
var FEWEST_LETTERS = 3;
var HATCHES = ["", "rise", "", "fall", "flat", "cross", "dots", "upright"];
var LIGHT = {
  paper: "#ffffff",
  ink: "#222222",
  quiet: "#5c5c5c",
  line: "#d8d8d8",
  window: "rgba(0, 114, 178, 0.14)",
  mark: "#000000",
  fill: ["#cfcfcf", "#ffffff", "#0072b2", "#f7dca0", "#cbe6f7", "#e6cdf0", "#c3e8dd", "#fde3c4"],
  edge: ["#555555", "#a8447c", "#00324f", "#8a5d00", "#1f6f9c", "#6b2b86", "#00674b", "#c04f00"]
};
var DARK = {
  paper: "#16181b",
  ink: "#e6e6e6",
  quiet: "#a8a8a8",
  line: "#3b4046",
  window: "rgba(86, 180, 233, 0.22)",
  mark: "#ffffff",
  fill: ["#575c63", "#16181b", "#4aa3dc", "#4d3a0c", "#183c52", "#3f2450", "#0f4234", "#54290c"],
  edge: ["#c8c8c8", "#f09cc8", "#d5edff", "#f2bd4a", "#7cc4ee", "#d49bee", "#57d3b0", "#ff9a55"]
};
function isDark(element) {
  const themed = element.closest("[data-jp-theme-light]");
  if (themed) return themed.getAttribute("data-jp-theme-light") === "false";
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}
function makePatterns(context, palette) {
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
      [5, 5]
    ].forEach(([x, y]) => pen.fillRect(x, y, 2, 2));
  pen.stroke();
}
function drawBar(pen, looks, kind, x, y, width, height) {
  const { palette, patterns } = looks;
  pen.save();
  pen.translate(x, y);
  pen.fillStyle = width >= 5 && HATCHES[kind] ? patterns[kind] : palette.fill[kind];
  pen.fillRect(0, 0, width, height);
  pen.strokeStyle = palette.edge[kind];
  pen.setLineDash(kind === MISS ? [3, 2] : []);
  pen.lineWidth = 1;
  pen.strokeRect(0.5, 0.5, Math.max(width - 1, 0.5), Math.max(height - 1, 0.5));
  pen.restore();
}
function drawLetter(pen, looks, kind, x, y, width, height) {
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
function drawName(pen, looks, kind, name, x, y, width, height) {
  pen.font = "11px system-ui, sans-serif";
  const whole = LETTERS[kind] ? `${LETTERS[kind]}: ${name}` : name, text = shorten(pen, whole, width - 12);
  const tooShort = text !== whole && text.length < whole.length - name.length + FEWEST_LETTERS + 1;
  if (height < 11 || tooShort) return drawLetter(pen, looks, kind, x, y, width, height);
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillStyle = looks.palette.paper;
  pen.fillRect(x + 4, y + height / 2 - 5.5, pen.measureText(text).width + 4, 11);
  pen.fillStyle = looks.palette.ink;
  return pen.fillText(text, x + 6, y + height / 2 + 0.5);
}
function plainColor(palette, kind) {
  return kind === FOUND || kind === HIT ? palette.fill[kind] : palette.edge[kind];
}

// src/looking.js
function fitSize(panel) {
  const { scene, parts } = panel;
  scene.width = Math.max(parts.stage.clientWidth, 200);
  scene.left = scene.width < 700 ? 116 : 168;
  scene.height = Math.min(scene.contentHeight + AXIS_PX, 520);
  parts.scroller.style.height = `${scene.height}px`;
  parts.spacer.style.height = `${scene.contentHeight + AXIS_PX - scene.height}px`;
  scene.width = Math.max(parts.scroller.clientWidth, 200);
  applyTheme(panel);
}
function applyTheme(panel) {
  const { root, scene, canvas } = panel, dark = isDark(root), ratio = window.devicePixelRatio;
  if (!scene.looks || scene.looks.dark !== dark || scene.looks.ratio !== ratio) {
    const palette = dark ? DARK : LIGHT;
    scene.looks = { dark, ratio, palette, patterns: makePatterns(canvas.getContext("2d"), palette) };
    root.classList.toggle("dark", dark);
    panel.parts.key.replaceChildren(...legend(scene.looks));
  }
  redraw(panel);
}
function redraw(panel) {
  if (panel.waiting || !panel.scene.segments) return;
  panel.waiting = true;
  requestAnimationFrame(() => {
    panel.waiting = false;
    drawPanel(panel);
  });
}
function drawPanel({ root, canvas, scene, parts, kept }) {
  scene.scrollTop = parts.scroller.scrollTop;
  drawScene(canvas, scene);
  drawOverview(parts.overview, scene, kept);
  root.dispatchEvent(new CustomEvent("drawn"));
}
function look(panel, from, to) {
  const { view } = panel.state, longest = view.end - view.begin;
  const span = Math.min(Math.max(to - from, Math.max(longest * 1e-5, 0.02)), longest);
  const start = Math.min(Math.max((from + to - span) / 2, view.begin), view.end - span);
  panel.set({ view: { ...view, from: start, to: start + span } });
}
function zoom(panel, factor, around = (panel.state.view.from + panel.state.view.to) / 2) {
  const { from, to } = panel.state.view;
  look(panel, around + (from - around) * factor, around + (to - around) * factor);
}
function pan(panel, share) {
  const { from, to } = panel.state.view, by = share * (to - from);
  look(panel, from + by, to + by);
}
function pick(panel, rows) {
  const { scene, source, parts } = panel;
  panel.set({ picked: rows, part: null });
  source.pick(rows);
  const lines = rows.length ? segmentLines(scene.segments, scene.shown, scene.names, rows.at(-1)) : [];
  parts.said.textContent = lines.join(", ");
}
function step(panel, direction) {
  const { scene, state, parts } = panel;
  if (!scene.errors?.length) {
    parts.said.textContent = "There is no error among the segments shown.";
    return;
  }
  const { start } = scene.segments, from = state.picked.at(-1);
  const after = from ?? start.findIndex((time) => time >= scene.view.from) - 0.5;
  const ahead = scene.errors.filter((row) => (row - after) * direction > 0);
  goTo(panel, direction > 0 ? ahead[0] ?? scene.errors[0] : ahead.at(-1) ?? scene.errors.at(-1));
}
function goTo(panel, row) {
  const { segments, view } = panel.scene;
  const length = segments.end[row] - segments.start[row], middle = segments.start[row] + length / 2;
  const width = Math.max(Math.min(view.to - view.from, Math.max(20 * length, 5)), 2 * length);
  look(panel, middle - width / 2, middle + width / 2);
  scrollToRow(panel, row);
  pick(panel, [row]);
}
function scrollToRow({ scene, parts: { scroller } }, row) {
  const place = rowOf(scene.lanes, scene.segments, row), height = scene.height - AXIS_PX;
  if (place.top < scroller.scrollTop || place.top + place.height > scroller.scrollTop + height) {
    scroller.scrollTop = place.top - height / 2;
  }
}

// src/events.js
function listen(panel) {
  listenToPointer(panel);
  listenToWheel(panel);
  listenToKeys(panel);
  listenToOverview(panel);
  panel.parts.scroller.addEventListener("scroll", () => redraw(panel));
  return listenToSurroundings(panel);
}
function timeAt({ view, left, width }, x) {
  return view.from + (x - left) / (width - left) * (view.to - view.from);
}
function rowUnder({ scene, parts }, event) {
  if (!scene.segments || event.offsetX < scene.left || event.offsetY < AXIS_PX) return -1;
  const slack = 3 * (scene.view.to - scene.view.from) / (scene.width - scene.left);
  const y = event.offsetY - AXIS_PX + parts.scroller.scrollTop;
  return segmentAt(scene.segments, scene.lanes, timeAt(scene, event.offsetX), y, slack);
}
function hover(panel, row, event) {
  const {
    scene,
    state,
    canvas,
    parts: { tooltip, stage }
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
function listenToPointer(panel) {
  const { canvas, scene } = panel;
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !scene.segments) return;
    drag = { x: event.offsetX, from: scene.view.from, to: scene.view.to, moved: false, held: takeHold(panel, event) };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return void hover(panel, rowUnder(panel, event), event);
    const moved2 = event.offsetX - drag.x;
    drag.moved ||= Math.abs(moved2) > 3;
    if (!drag.moved) return;
    hover(panel, -1, event);
    if (drag.held) return void dragHeld(panel, drag.held, event);
    const span = drag.to - drag.from, by = -moved2 / (scene.width - scene.left) * span;
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
function clickOn(panel, row, event) {
  const { picked } = panel.state, more = event.shiftKey || event.ctrlKey || event.metaKey;
  const others = more ? picked.filter((one) => one !== row) : [];
  const off = more && picked.includes(row);
  pick(panel, row < 0 || off ? others : [...others, row]);
}
function listenToWheel(panel) {
  const { canvas, scene } = panel;
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!scene.segments || event.offsetX < scene.left) return;
      event.preventDefault();
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        pan(panel, Math.sign(event.deltaX || event.deltaY) * 0.1);
      } else {
        zoom(panel, Math.exp(Math.min(Math.max(event.deltaY, -240), 240) * 2e-3), timeAt(scene, event.offsetX));
      }
    },
    { passive: false }
  );
}
function listenToKeys(panel) {
  const {
    scene,
    parts: { scroller }
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
    Escape: () => pick(panel, [])
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
    parts: { overview }
  } = panel;
  const centre = (event) => {
    if (!event.buttons || !scene.segments) return;
    const { begin, end, from, to } = scene.view, half = (to - from) / 2;
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
function listenToSurroundings(panel) {
  const {
    scene,
    parts: { stage }
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

// src/layout.js
function layOut(panel) {
  const { root, info, id } = panel;
  const banner = make("p", { class: "remark", role: "status" });
  const count = make("p", { class: "count", "data-role": "count" });
  const said = make("p", { class: "said", "aria-live": "polite", "data-role": "said" });
  const help = make("p", { class: "help", id: `${id}-keys` }, `${KEYS}${panel.source.correct ? ", e edits" : ""}.`);
  const canvas = make("canvas", {
    tabindex: 0,
    role: "application",
    "aria-roledescription": "timeline",
    "aria-describedby": `${id}-keys`
  });
  const overview = make("canvas", { class: "overview", "aria-hidden": "true" });
  const spacer = make("div", { class: "spacer" });
  const scroller = make("div", { class: "scroller" }, canvas, spacer);
  const tooltip = make("div", { class: "tooltip", role: "tooltip", hidden: "" });
  const stage = make("div", { class: "stage" }, scroller, tooltip);
  const key = make("div", { class: "legend" });
  const videos = videoControls(info, (video) => askFor(panel, video, panel.state.tiou), panel.source.isCorrected);
  const filters = filterControls(panel), edits = editControls(panel);
  root.classList.add("afkit-inspector");
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  root.replaceChildren(
    make("h2", {}, info.title),
    banner,
    make("div", { class: "controls" }, ...videos.elements),
    make("div", { class: "controls" }, ...filters.elements, ...lookButtons(panel), edits.edit),
    edits.row,
    overview,
    stage,
    count,
    edits.corrected,
    said,
    key,
    help
  );
  return { banner, count, said, canvas, overview, spacer, scroller, tooltip, stage, key, videos, ...filters, ...edits };
}
function button(text, role, action) {
  return make("button", { type: "button", "data-role": role, onclick: action }, text);
}
function filterControls(panel) {
  const ask = () => askFor(panel, panel.state.video, Number(threshold.value));
  const threshold = make("select", { "data-role": "tiou", onchange: ask });
  const slider = make("input", { type: "range", min: 0, max: 1, step: 0.01, "data-role": "score" });
  const scoreText = make("output", {});
  const top = make("input", { type: "number", min: 0, step: 1, "data-role": "top", title: "0: all" });
  slider.addEventListener("input", () => panel.set({ minScore: Number(slider.value) }));
  const wholeTop = () => Math.max(Math.floor(Number(top.value)) || 0, 0);
  top.addEventListener("input", () => panel.set({ topK: wholeTop() }));
  const stacked = make("input", { type: "checkbox", "data-role": "stacked" });
  stacked.addEventListener("change", () => panel.set({ stacked: stacked.checked }));
  const classes = classControls(panel.info.classes, panel);
  const elements = [
    labelled("score from", slider, scoreText),
    labelled("best", top),
    labelled("tIoU", threshold),
    classes.element,
    labelled("stacked", stacked)
  ];
  return { threshold, slider, scoreText, top, stacked, showClasses: classes.show, elements };
}
function lookButtons(panel) {
  return [
    button("previous error", "previous", () => step(panel, -1)),
    button("next error", "next", () => step(panel, 1)),
    button("zoom in", "in", () => zoom(panel, 0.5)),
    button("zoom out", "out", () => zoom(panel, 2)),
    button("whole video", "all", () => look(panel, panel.state.view.begin, panel.state.view.end))
  ];
}
function editControls(panel) {
  const { source, info } = panel;
  const edit = button("edit", "edit", () => toggleEditing(panel));
  edit.hidden = !source.correct;
  const choose = () => act(() => chooseLabel(panel, Number(label.value)));
  const label = make("select", { "data-role": "label", onchange: choose });
  label.append(...info.classes.map((name, value) => make("option", { value }, name)));
  const act = (action) => {
    action(panel);
    panel.canvas.focus();
  };
  const save2 = button("save annotations", "save", () => act(() => say(panel, source.save())));
  save2.hidden = !source.save;
  const undoing = button("undo", "undo", () => act(undo)), redoing = button("redo", "redo", () => act(redo));
  const row = make(
    "div",
    { class: "controls edits", role: "group", "aria-label": "editing" },
    labelled("class", label),
    button("add", "add", () => act(insertTruth)),
    button("accept prediction", "accept", () => act(acceptPrediction)),
    button("delete", "delete", () => act(deleteTruth)),
    undoing,
    redoing,
    save2,
    make("p", { class: "help" }, HOW_TO_EDIT)
  );
  const corrected = make("p", { class: "count", "data-role": "corrected" });
  return { edit, row, label, save: save2, undo: undoing, redo: redoing, corrected };
}

// src/store.js
function createStore(state) {
  const listeners = [];
  return {
    state,
    listen: (call) => listeners.push(call),
    set(changes) {
      const names = new Set(Object.keys(changes).filter((name) => !Object.is(state[name], changes[name])));
      Object.assign(state, changes);
      if (names.size) for (const call of listeners) call(names);
    }
  };
}

// src/playback.js
function createPlayback(tracks) {
  const video = make("video", { preload: "auto", playsinline: "", "data-role": "film" });
  const said = make("p", { class: "track-said", role: "status", "data-role": "film-said" });
  const play = make("button", { type: "button", "data-role": "play", onclick: () => togglePlayback(tracks) }, "play");
  const time = make("output", {});
  const keys = "Space plays and pauses; a click on the time axis or a track sets the cursor.";
  const help = make("span", { class: "help" }, keys);
  const bar = make("div", { class: "controls" }, play, time, help);
  const playback = { video, said, play, time, bar, address: "", setSec: 0, wantedSec: 0 };
  video.muted = true;
  video.addEventListener("error", () => {
    if (!video.getAttribute("src")) return;
    const reasons = "it is missing, damaged, or of a format that this browser does not know";
    sayMedia(playback, `'${playback.file}' cannot be played: ${reasons}.`);
  });
  video.addEventListener("loadedmetadata", () => {
    sayMedia(playback, "");
    moveCursor(tracks, playback.setSec);
  });
  video.addEventListener("play", () => {
    play.textContent = "pause";
    followPlayback(tracks);
  });
  video.addEventListener("pause", () => {
    play.textContent = "play";
    playback.setSec = video.currentTime;
  });
  video.addEventListener("seeked", () => {
    if (video.paused && Math.abs(video.currentTime - playback.wantedSec) > 0.01) seek(playback, playback.wantedSec);
  });
  tracks.parts.screen.append(said, video, bar);
  sayMedia(playback, "");
  return playback;
}
function sayMedia({ said, video, bar }, sentence) {
  said.textContent = sentence;
  video.hidden = bar.hidden = sentence !== "";
}
function showMedia(tracks, answer) {
  const { playback } = tracks, { video } = playback;
  if (playback.address.startsWith("blob:")) URL.revokeObjectURL(playback.address);
  Object.assign(playback, { address: "", file: answer?.file, setSec: 0 });
  video.pause();
  video.removeAttribute("src");
  tracks.panel.set({ cursorSec: null });
  sayMedia(playback, answer ? answer.error ?? `'${answer.file}' is being opened …` : "The video is being read …");
  if (!answer || answer.error) return void video.load();
  const { url, data, type } = answer;
  playback.address = url ?? URL.createObjectURL(new Blob(data, { type }));
  video.src = playback.address;
}
function playable({ video, said }) {
  return said.textContent === "" && video.readyState >= HTMLMediaElement.HAVE_METADATA;
}
function togglePlayback({ playback }) {
  if (!playable(playback)) return;
  if (playback.video.paused)
    playback.video.play().catch(() => {
    });
  else playback.video.pause();
}
function stopPlayback({ playback }) {
  if (!playback.video.paused) playback.video.pause();
}
function followPlayback(tracks) {
  const { playback, panel } = tracks, { video } = playback;
  if (!panel.root.isConnected) return void video.pause();
  pointCursor(tracks, video.currentTime);
  const { from, to } = panel.scene.view, span = to - from;
  if (video.currentTime < from || video.currentTime > to) {
    panel.look(video.currentTime - 0.1 * span, video.currentTime + 0.9 * span);
  }
  if (!video.paused) requestAnimationFrame(() => followPlayback(tracks));
}
function moveCursor(tracks, seconds) {
  const { video } = tracks.playback;
  const time = Math.min(Math.max(seconds, 0), Number.isFinite(video.duration) ? video.duration : Infinity);
  seek(tracks.playback, time);
  pointCursor(tracks, time);
}
function seek(playback, seconds) {
  playback.wantedSec = seconds;
  if (!playback.video.seeking) playback.video.currentTime = seconds;
}
function pointCursor(tracks, seconds) {
  tracks.panel.set({ cursorSec: seconds });
  tracks.playback.time.textContent = `${seconds.toFixed(2)} s`;
  tracks.panel.root.dispatchEvent(new CustomEvent("cursor", { detail: seconds }));
}
function listenToCursor(tracks) {
  const { panel, playback, parts } = tracks, { canvas, scene } = panel;
  const secondsAt = (event) => {
    const { stage } = panel.parts, { view, left, width } = scene;
    const x = event.clientX - stage.getBoundingClientRect().left - stage.clientLeft;
    const inside = playable(playback) && x >= left && x <= width;
    return inside ? view.from + (x - left) / (width - left) * (view.to - view.from) : null;
  };
  const hover2 = (event) => {
    const seconds = secondsAt(event);
    if (seconds !== null && !event.buttons && playback.video.paused) moveCursor(tracks, seconds);
  };
  let downX = 0;
  const press = (event) => downX = event.clientX;
  const click = (event) => {
    const seconds = secondsAt(event), inLanes = event.currentTarget === canvas && event.offsetY >= AXIS_PX;
    if (seconds === null || inLanes || Math.abs(event.clientX - downX) > 3) return;
    playback.setSec = seconds;
    moveCursor(tracks, seconds);
  };
  const leave = () => playable(playback) && playback.video.paused && moveCursor(tracks, playback.setSec);
  for (const place of [canvas, parts.area]) {
    const calls = { pointermove: hover2, pointerdown: press, click, pointerleave: leave };
    for (const [type, call] of Object.entries(calls)) place.addEventListener(type, call);
  }
  canvas.addEventListener("keydown", (event) => {
    if (event.key !== " " || !playable(playback)) return;
    togglePlayback(tracks);
    event.preventDefault();
    event.stopPropagation();
  });
}

// src/track_drawing.js
var TRACK_PX = 88;
var TRACK_PAD_PX = 9;
var TRACES = { light: ["#0072b2", "#d55e00", "#222222"], dark: ["#56b4e9", "#ff9a55", "#f2f2f2"] };
var DASHES = [[], [6, 3], [2, 2]];
var THRESHOLD_DASH = [7, 4];
function startTrack(canvas, scene, low, high) {
  const { looks, left, width, view } = scene, pen = fitCanvas(canvas, width, TRACK_PX);
  const perSec = (width - left) / (view.to - view.from), span = high - low || 1;
  const xOf = (time) => left + (time - view.from) * perSec;
  const yOf = (value) => TRACK_PX - TRACK_PAD_PX - (value - low) / span * (TRACK_PX - 2 * TRACK_PAD_PX);
  pen.fillStyle = looks.palette.paper;
  pen.fillRect(0, 0, width, TRACK_PX);
  const step2 = STEPS_SEC.find((sec) => sec * perSec >= 74) ?? 3600 * Math.ceil(74 / (3600 * perSec));
  pen.fillStyle = looks.palette.line;
  for (let k = Math.ceil(view.from / step2); k * step2 <= view.to; k++) {
    pen.fillRect(Math.round(xOf(k * step2)), 0, 1, TRACK_PX);
  }
  return { pen, xOf, yOf };
}
function drawTicks(pen, scene, yOf, ticks) {
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const [value, text] of ticks) {
    pen.fillStyle = scene.looks.palette.line;
    pen.fillRect(scene.left - 4, Math.round(yOf(value)), scene.width - scene.left + 4, 1);
    pen.fillStyle = scene.looks.palette.quiet;
    pen.fillText(text, scene.left - 7, yOf(value));
  }
}
var written = (values) => values.map((value) => [value, String(value).replace("-", "−")]);
function roundTicks(low, high) {
  const power = 10 ** Math.floor(Math.log10(high - low || 1)), ticks = [];
  for (const factor of [5, 2, 1, 0.5, 0.2]) {
    const step2 = factor * power, first = Math.ceil(low / step2), last = Math.floor(high / step2);
    if (last <= first) continue;
    for (let k = first; k <= last; k++) ticks.push(Number((k * step2).toPrecision(6)));
    return ticks;
  }
  return [low];
}
function drawLabel(pen, scene, label) {
  drawTrackName(pen, scene, (label.match(/^(.*?)\s*(\[.*\])$/) ?? [label, label]).slice(1));
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
function drawTrace(pen, { view }, { xOf, yOf }, { begin_sec: begin, step_sec: step2, points }, values, scale) {
  const first = Math.max(Math.floor((view.from - begin) / step2), 0);
  const last = Math.min(Math.ceil((view.to - begin) / step2), points - 1);
  let down = false;
  pen.beginPath();
  for (let i = first; i <= last; i++) {
    const y = yOf(values[i] * scale);
    if (Number.isNaN(y)) down = false;
    else if (down) pen.lineTo(xOf(begin + i * step2), y);
    else {
      pen.moveTo(xOf(begin + i * step2), y);
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
function drawCurve(canvas, scene, curve, facts, threshold) {
  const track = startTrack(canvas, scene, 0, 1), { pen, yOf } = track, { palette, dark } = scene.looks;
  drawTicks(pen, scene, yOf, written([0, 0.5, 1]));
  drawTrackName(pen, scene, ["score", curve.name, "- - threshold"]);
  clipToPlot(pen, scene);
  pen.strokeStyle = palette.mark;
  pen.lineWidth = 1;
  pen.setLineDash(THRESHOLD_DASH);
  pen.beginPath();
  const y = Math.floor(yOf(threshold)) + 0.5;
  pen.moveTo(scene.left, y);
  pen.lineTo(scene.width, y);
  pen.stroke();
  pen.setLineDash([]);
  pen.strokeStyle = TRACES[dark ? "dark" : "light"][0];
  pen.lineWidth = 1.6;
  drawTrace(pen, scene, track, facts, curve.values, 1 / 255);
  pen.restore();
}
function drawSpectrogram(canvas, scene, facts, values) {
  const { pen, xOf, yOf } = startTrack(canvas, scene, 0, 1), { begin_sec: begin, step_sec: step2, points } = facts, { view } = scene;
  drawTicks(pen, scene, yOf, facts.ticks);
  drawLabel(pen, scene, facts.label);
  const first = Math.min(Math.max(Math.floor((view.from - begin) / step2), 0), points - 1);
  const last = Math.min(Math.max(Math.ceil((view.to - begin) / step2), first), points - 1);
  const image = imageOf(facts, values, scene.looks), left = xOf(begin + (first - 0.5) * step2), right = xOf(begin + (last + 0.5) * step2);
  clipToPlot(pen, scene);
  pen.imageSmoothingEnabled = right - left < last - first + 1;
  pen.drawImage(image, first, 0, last - first + 1, image.height, left, yOf(1), right - left, yOf(0) - yOf(1));
  pen.restore();
}
var images = /* @__PURE__ */ new WeakMap();
function imageOf({ points }, values, looks) {
  if (images.get(values)?.looks === looks) return images.get(values).image;
  const shades = makePen(256, 1), rows = values.length / points, pen = makePen(points, rows), ramp = shades.createLinearGradient(0, 0, 256, 0);
  ramp.addColorStop(0, looks.palette.paper);
  ramp.addColorStop(1, looks.palette.ink);
  shades.fillStyle = ramp;
  shades.fillRect(0, 0, 256, 1);
  const shade = new Uint32Array(shades.getImageData(0, 0, 256, 1).data.buffer);
  const picture = pen.createImageData(points, rows), pixels = new Uint32Array(picture.data.buffer);
  values.forEach((value, i) => {
    pixels[(rows - 1 - Math.floor(i / points)) * points + i % points] = shade[value];
  });
  pen.putImageData(picture, 0, 0);
  images.set(values, { looks, image: pen.canvas });
  return pen.canvas;
}
function makePen(width, height) {
  return new OffscreenCanvas(width, height).getContext("2d");
}
function drawSignal(canvas, scene, facts, values) {
  const known = values.filter((value) => Number.isFinite(value));
  const extreme = (choose) => known.reduce((a, b) => choose(a, b));
  const range = known.length ? [extreme(Math.min), extreme(Math.max)] : [0, 1];
  const track = startTrack(canvas, scene, ...range), { pen, yOf } = track;
  drawTicks(pen, scene, yOf, written(roundTicks(...range)));
  drawLabel(pen, scene, facts.label);
  const colors = TRACES[scene.looks.dark ? "dark" : "light"], pick2 = (list, i) => list[i % list.length];
  const dress = (i) => {
    pen.strokeStyle = pick2(colors, i);
    pen.setLineDash(pick2(DASHES, i));
    pen.lineWidth = 1;
  };
  clipToPlot(pen, scene);
  facts.names.forEach((_, i) => {
    dress(i);
    drawTrace(pen, scene, track, facts, values.subarray(i * facts.points, (i + 1) * facts.points), 1);
  });
  pen.restore();
  drawTraceLegend(pen, scene, facts.names, dress);
}
function drawTraceLegend(pen, scene, names, dress) {
  if (names.length < 2 || names.length > 6) return;
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "left";
  const columns = Math.ceil(names.length / 3), wide = (scene.left - 44) / columns;
  names.forEach((name, i) => {
    const x = 6 + wide * Math.floor(i / 3), y = 46 + 14 * (i % 3);
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

// src/tracks.js
var TRACK_KINDS = { curves: "score over time", signal: "signal", media: "video" };
var FOLLOWED = -2;
var ANY_CLASS = -1;
function createTracks(panel, source) {
  const { curves, signal, media } = source.info.tracks;
  const tracks = {
    panel,
    source,
    held: {}
    // kind -> { video, answer }; answer null while it is waited for
  };
  tracks.parts = layOutTracks(tracks);
  tracks.playback = createPlayback(tracks);
  panel.set({ curves: curves && !source.slowCurves, signal, media });
  panel.listen((names) => names.has("cursorSec") && panel.state.view && placeCursor(tracks));
  panel.root.addEventListener("drawn", () => updateTracks(tracks));
  listenToCursor(tracks);
  tracks.dispose = () => stopPlayback(tracks);
  return tracks;
}
function layOutTracks(tracks) {
  const { panel, source } = tracks, { stage, overview } = panel.parts;
  const kinds = Object.keys(TRACK_KINDS).filter((kind) => source.info.tracks[kind]);
  const boxes = Object.fromEntries(
    kinds.map((kind) => {
      const box = make("input", { type: "checkbox", "data-role": `track-${kind}` });
      box.addEventListener("change", () => panel.set({ [kind]: box.checked }));
      return [kind, box];
    })
  );
  const choice = make("select", { "data-role": "track-class", "aria-label": "class whose score is drawn" });
  const classes = source.info.classes.map((name, i) => [name, i]);
  const names = [["of the class pointed at, or of the best", FOLLOWED], ...classes];
  choice.append(...names.map(([text, value]) => make("option", { value }, text)));
  choice.addEventListener("change", () => panel.set({ curveOf: Number(choice.value) }));
  const labels = kinds.flatMap((kind) => {
    const label = make("label", {}, boxes[kind], make("span", {}, TRACK_KINDS[kind]));
    return kind === "curves" ? [label, choice] : [label];
  });
  const controls = make("div", { class: "controls tracks-controls" }, ...labels);
  controls.hidden = !kinds.length;
  const screen = make("div", { class: "screen" });
  const curve = makeTrack("curve"), signals = make("div", {}), signalSaid = make("p", { class: "track-said" });
  const area = make("div", { class: "tracks" }, curve.element, signalSaid, signals);
  const lines = [stage, area].map((place) => {
    const line = make("div", { class: "cursor", hidden: "" });
    place.append(line);
    return line;
  });
  overview.before(controls, screen);
  stage.after(area);
  return { boxes, choice, screen, curve, signals, signalSaid, area, lines, panels: [] };
}
function makeTrack(role) {
  const canvas = make("canvas", { role: "img", "data-role": role }), said = make("p", { class: "track-said" });
  return { canvas, said, element: make("div", { class: "track" }, canvas, said) };
}
function updateTracks(tracks) {
  const { panel, parts } = tracks, { video, curveOf } = panel.state;
  const offered = Object.entries(tracks.source.info.tracks).filter(([, there]) => there);
  const on = Object.fromEntries(offered.map(([kind]) => [kind, panel.state[kind]]));
  if (!panel.scene.segments || !panel.scene.looks) return;
  for (const kind of Object.keys(TRACK_KINDS)) {
    if (parts.boxes[kind]) parts.boxes[kind].checked = on[kind];
    if (on[kind] && video && tracks.held[kind]?.video !== video) askForTrack(tracks, kind);
  }
  parts.choice.value = curveOf;
  parts.curve.element.hidden = !on.curves;
  parts.signals.hidden = parts.signalSaid.hidden = !on.signal;
  parts.screen.hidden = !on.media;
  parts.area.hidden = !on.curves && !on.signal;
  if (!on.media) stopPlayback(tracks);
  if (on.curves) drawCurveTrack(tracks);
  for (const { canvas, facts, values } of on.signal ? parts.panels : []) {
    (facts.ticks ? drawSpectrogram : drawSignal)(canvas, panel.scene, facts, values);
  }
  placeCursor(tracks);
}
async function askForTrack(tracks, kind) {
  const { panel, source, parts } = tracks, { video } = panel.state;
  tracks.held[kind] = { video, answer: null };
  if (kind === "signal") showSignals(parts, { panels: [], data: [] }, "The signal is being read …");
  if (kind === "media") showMedia(tracks, null);
  const answer = await source.track(kind, video);
  if (tracks.held[kind].video !== video) return;
  tracks.held[kind].answer = kind === "curves" && !answer.error ? openCurves(answer) : answer;
  if (kind === "signal") showSignals(parts, { panels: [], data: [], ...answer }, answer.error ?? "");
  if (kind === "media") showMedia(tracks, answer);
  updateTracks(tracks);
}
function showSignals(parts, { panels, data }, sentence) {
  parts.signalSaid.textContent = sentence || panels.map(({ remark }) => remark ?? "").join("");
  parts.panels = panels.map((facts, i) => {
    const values = new (facts.ticks ? Uint8Array : Float32Array)(data[i]);
    return { facts, values, ...makeTrack(facts.ticks ? "spectrogram" : "signal") };
  });
  for (const { canvas, facts } of parts.panels) canvas.setAttribute("aria-label", `${facts.label} over time`);
  parts.signals.replaceChildren(...parts.panels.map(({ element }) => element));
}
function drawCurveTrack(tracks) {
  const { panel, held, parts } = tracks, { scene, state } = panel;
  const { canvas, said } = parts.curve, answer = held.curves?.answer;
  const curve = answer && !answer.error ? chooseCurve(answer, panel) : null;
  tracks.drawn = curve;
  canvas.hidden = !curve?.values;
  if (curve?.values) {
    said.textContent = "";
    drawCurve(canvas, scene, curve, answer, state.minScore);
    canvas.setAttribute("aria-label", `Score of ${curve.name} over time, threshold ${state.minScore.toFixed(2)}`);
  } else if (curve) {
    said.textContent = `${curve.name} has no score of 0.01 or more in this video.`;
  } else {
    said.textContent = answer ? answer.error : "The score is being computed …";
  }
}
function openCurves(answer) {
  const { labels, points, data } = answer, values = new Uint8Array(data[0]);
  let highest = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[highest]) highest = i;
  const rows = new Map(labels.map((label, row) => [label, values.subarray(row * points, (row + 1) * points)]));
  return { ...answer, rows, best: labels[Math.floor(highest / points)] };
}
function chooseCurve({ rows, best }, { scene, state, info }) {
  if (rows.has(ANY_CLASS)) return { name: "any class", values: rows.get(ANY_CLASS) };
  const row = state.hovered >= 0 ? state.hovered : state.picked.at(-1) ?? -1;
  const followed = row >= 0 ? scene.segments.label[row] : best;
  const chosen = state.curveOf === FOLLOWED ? followed : state.curveOf;
  return { name: info.classes[chosen] ?? "Every class", values: rows.get(chosen) };
}
function placeCursor({ panel, parts }) {
  const { view, left, width, cursorSec } = panel.scene;
  const x = cursorSec === null ? -1 : left + (cursorSec - view.from) / (view.to - view.from) * (width - left);
  for (const line of parts.lines) {
    line.hidden = !(x >= left && x <= width);
    line.style.left = `${x}px`;
  }
}

// src/panel.js
var numPanels = 0;
var FILTERS = ["minScore", "topK", "hidden", "stacked"];
var EDITS = ["editing", "part", "newLabel", "picked", "undo", "redo"];
function createPanel(root, source) {
  const panel = {
    root,
    source,
    info: source.info,
    id: `afkit-inspector-${++numPanels}`,
    waiting: false,
    ...createStore({ ...nothingChosen(), ...source.settings }),
    kept: {}
    // the picture of the overview
  };
  panel.scene = Object.assign(Object.create(panel.state), {
    names: source.info.classes,
    segments: null,
    lanes: [],
    ignored: []
  });
  panel.parts = layOut(panel);
  panel.canvas = panel.parts.canvas;
  const actions = { look, zoom, pan, step, pick, filter: filterSegments, draw: drawPanel, receive: receiveSegments };
  for (const [name, action] of Object.entries(actions)) panel[name] = (...given) => action(panel, ...given);
  panel.listen((names) => showChange(panel, names));
  panel.dispose = listen(panel);
  source.connect(panel);
  askFor(panel, source.settings.video, source.settings.tiou);
  return panel;
}
function nothingChosen() {
  const shown = { view: null, hidden: /* @__PURE__ */ new Set(), stacked: false, picked: [], hovered: -1 };
  const edits = { editing: false, part: null, newLabel: 0, draft: null, undo: [], redo: [] };
  const tracks = { curves: false, signal: false, media: false, curveOf: FOLLOWED, cursorSec: null };
  return { ...shown, ...edits, ...tracks };
}
function askFor(panel, video, tiou) {
  panel.parts.said.textContent = "";
  panel.source.ask(video, tiou);
}
function showChange(panel, names) {
  if (names.has("minScore") || names.has("topK")) panel.source.tell(panel.state);
  if (FILTERS.some((name) => names.has(name))) filterSegments(panel);
  else if (EDITS.some((name) => names.has(name))) reportEditing(panel);
  if (names.size > 1 || !names.has("cursorSec")) redraw(panel);
}
function receiveSegments(panel, shown, facts, matching) {
  const { scene, state } = panel;
  const other = !scene.segments || shown.video !== state.video;
  const picked = other ? [] : state.picked.map((row) => segmentOf(scene.segments, row));
  scene.segments = segmentColumns(facts, matching);
  scene.ignored = panel.info.videos.find((entry) => entry.video === shown.video)?.ignored_sec ?? [];
  scene.original = shown.original ?? truthOf(scene.segments);
  scene.numCorrections = countCorrections(scene.original, truthOf(scene.segments));
  scene.given = { ...shown, original: scene.original };
  scene.segments.edited = editedRows(scene.segments, scene.original);
  const { start, end } = scene.segments;
  const begin = start.length ? Math.min(0, start[0]) : 0;
  const last = Math.max(
    end.reduce((a, b) => Math.max(a, b), begin),
    shown.duration_sec
  ) || 1;
  const view = other ? { begin, end: last, from: begin, to: last } : { ...state.view, end: Math.max(state.view.end, last) };
  panel.set({ video: shown.video, tiou: shown.tiou, hovered: -1, view });
  if (other) {
    panel.parts.scroller.scrollTop = 0;
    pick(panel, []);
  }
  panel.parts.videos.fill(state.video);
  filterSegments(panel);
  const rows = state.picked.map((row, i) => sameRow(scene.segments, picked[i], row)).filter((row) => row >= 0);
  if (String(rows) !== String(state.picked)) pick(panel, rows);
}
function filterSegments(panel) {
  const { scene, state } = panel;
  if (!scene.segments) return;
  scene.shown = shownKinds(scene.segments, state);
  scene.lanes = arrangeLanes(scene.segments, scene.shown, scene.view.end - scene.view.begin, state.stacked);
  const last = scene.lanes.at(-1);
  scene.contentHeight = last ? last.top + last.height + LANE_GAP_PX : 60;
  scene.errors = shownErrors(scene.segments, scene.shown);
  report(panel);
  reportEditing(panel);
  fitSize(panel);
}
function report({ info, parts, state, scene, canvas }) {
  const { segments, shown } = scene;
  const visible = shown.reduce((sum, kind) => sum + (kind !== HIDDEN), 0);
  const word = scene.errors.length === 1 ? "error" : "errors";
  const text = `${visible} of ${segments.n} segments shown, ${scene.errors.length} ${word} at tIoU ${state.tiou}`;
  const shaded = scene.ignored.length ? "Hatched parts were not annotated, and are not judged." : "";
  parts.count.textContent = text;
  parts.banner.textContent = [info.remark, ...missing(segments, visible), shaded].filter(Boolean).join(" ");
  canvas.setAttribute("aria-label", `Timeline of ${state.video}: ${text}. ${parts.banner.textContent}`);
  const options = [.../* @__PURE__ */ new Set([...info.tious, state.tiou])].sort((a, b) => a - b);
  parts.threshold.replaceChildren(...options.map((tiou) => make("option", { value: tiou }, tiou.toFixed(2))));
  parts.threshold.value = state.tiou;
  parts.slider.value = state.minScore;
  parts.scoreText.textContent = state.minScore.toFixed(2);
  parts.stacked.checked = state.stacked;
  parts.showClasses(state.hidden);
  if (Number(parts.top.value) !== state.topK || parts.top.value === "") parts.top.value = state.topK;
}
function missing(segments, visible) {
  const truths = segments.score.reduce((sum, score) => sum + Number.isNaN(score), 0);
  const sentences = [];
  if (!truths) sentences.push("This video has no ground truth.");
  if (truths === segments.n) sentences.push("This video has no predictions.");
  if (segments.n && !visible) sentences.push("The controls hide all segments.");
  return sentences;
}

// src/editing.js
var STEP_SEC = 0.1;
var LONG_STEP_SEC = 1;
function toggleEditing(panel) {
  panel.set({ editing: !panel.state.editing, part: null });
  panel.canvas.focus();
}
function say(panel, text) {
  panel.parts.said.textContent = text;
}
function pickedTruth({ scene, state }) {
  return state.picked.findLast((row) => isTruth(scene.segments, row)) ?? -1;
}
function limitSec({ info, state }) {
  return info.videos.find((one) => one.video === state.video)?.known_sec ?? Infinity;
}
function commitEdit(panel, list, chosen) {
  const { state, scene } = panel, before = truthOf(scene.segments), after = byOnset(list);
  if (!leftOver(after, before).length && after.length === before.length) return;
  panel.set({ undo: [...state.undo, { video: state.video, before, after }], redo: [] });
  setTruth(panel, state.video, after, chosen);
}
function setTruth(panel, video, list, chosen) {
  const { scene, state, source } = panel;
  source.correct(video, list);
  if (video !== state.video) return askFor(panel, video, state.tiou);
  if (chosen && state.hidden.has(chosen.label))
    panel.set({ hidden: new Set([...state.hidden].filter((label) => label !== chosen.label)) });
  panel.receive(scene.given, ...withTruth(scene.segments, list, state.tiou));
  const same = (row) => keyOf(segmentOf(scene.segments, row)) === keyOf(chosen);
  pick(panel, chosen ? truthRows(scene.segments).filter(same).slice(0, 1) : []);
}
function replaceTruth(panel, row, segment) {
  const { segments } = panel.scene, { label_ids: ids } = panel.info;
  const isLong = !segment || segment.end - segment.start >= SHORTEST_SEC / 2;
  if (!isLong) return say(panel, "That is too short to be an action.");
  if (segment && !(ids[segment.label] >= 0)) return say(panel, "Its class is not known: choose another one.");
  const kept = truthRows(segments).filter((one) => one !== row).map((one) => segmentOf(segments, one));
  return commitEdit(panel, segment ? [...kept, segment] : kept, segment);
}
function undo(panel, from = "undo", to = "redo", which = "before") {
  const { [from]: edits, [to]: others } = panel.state, edit = edits.at(-1);
  if (!edit) return say(panel, `There is nothing to ${from}.`);
  panel.set({ [from]: edits.slice(0, -1), [to]: [...others, edit] });
  const other = which === "before" ? edit.after : edit.before, list = edit[which];
  return setTruth(panel, edit.video, list, list[leftOver(list, other)[0]]);
}
function redo(panel) {
  return undo(panel, "redo", "undo", "after");
}
function deleteTruth(panel) {
  const row = pickedTruth(panel);
  if (row < 0) return say(panel, "Select an annotation first.");
  return replaceTruth(panel, row, null);
}
function acceptPrediction(panel) {
  const { scene, state } = panel, row = state.picked.findLast((one) => !isTruth(scene.segments, one)) ?? -1;
  if (row < 0) return say(panel, "Select a prediction first.");
  const { start, end, label } = segmentOf(scene.segments, row), limit = limitSec(panel);
  const accepted = { start: rounded(start, limit), end: rounded(end, limit), label };
  const there = truthOf(scene.segments).some((one) => keyOf(one) === keyOf(accepted));
  return there ? say(panel, "This is annotated already.") : replaceTruth(panel, -1, accepted);
}
function insertTruth(panel) {
  const { from, to } = panel.state.view, limit = limitSec(panel), label = panel.state.newLabel;
  const [start, end] = [0.45, 0.55].map((share) => rounded(from + share * (to - from), limit));
  replaceTruth(panel, -1, { start, end, label });
}
function chooseLabel(panel, label) {
  const row = pickedTruth(panel);
  panel.set({ newLabel: label });
  if (row >= 0) replaceTruth(panel, row, { ...segmentOf(panel.scene.segments, row), label });
}
function choosePart(panel, part) {
  if (pickedTruth(panel) < 0) return say(panel, "Select an annotation first.");
  return panel.set({ part });
}
function nudge(panel, bySec) {
  const row = pickedTruth(panel), { part } = panel.state;
  replaceTruth(panel, row, moved(segmentOf(panel.scene.segments, row), part, bySec, limitSec(panel)));
  panel.set({ part });
}
function stepTruth(panel, direction) {
  const { segments, shown } = panel.scene, rows = truthRows(segments).filter((row) => shown[row] !== HIDDEN);
  if (!rows.length) return say(panel, "No annotation is shown.");
  const at = rows.indexOf(pickedTruth(panel)), first = direction > 0 ? 0 : rows.length - 1;
  return goTo(panel, at < 0 ? rows[first] : rows[(at + direction + rows.length) % rows.length]);
}
var EDIT_KEYS = {
  a: acceptPrediction,
  i: insertTruth,
  Delete: deleteTruth,
  Backspace: deleteTruth,
  "[": (panel) => choosePart(panel, "start"),
  "]": (panel) => choosePart(panel, "end"),
  m: (panel) => choosePart(panel, "whole"),
  ",": (panel) => stepTruth(panel, -1),
  ".": (panel) => stepTruth(panel, 1)
};
function editKey(panel, event) {
  const { state } = panel, { key } = event, command = event.ctrlKey || event.metaKey;
  const plain = event.getModifierState("AltGraph") || !(command || event.altKey);
  if (plain && key === "e" && panel.source.correct) toggleEditing(panel);
  else if (!state.editing) return false;
  else if (command && key.toLowerCase() === "z") (event.shiftKey ? redo : undo)(panel);
  else if (plain && EDIT_KEYS[key]) EDIT_KEYS[key](panel);
  else if (plain && state.part && (key === "ArrowLeft" || key === "ArrowRight")) {
    nudge(panel, (key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? LONG_STEP_SEC : STEP_SEC));
  } else if (key === "Escape" && state.part) choosePart(panel, null);
  else return false;
  return true;
}
function reportEditing(panel) {
  const { state, parts, scene, source } = panel, row = scene.segments ? pickedTruth(panel) : -1;
  parts.edit.setAttribute("aria-pressed", state.editing);
  parts.row.hidden = !state.editing;
  parts.undo.disabled = !state.undo.length;
  parts.redo.disabled = !state.redo.length;
  parts.save.disabled = !source.numCorrected?.();
  parts.label.value = row >= 0 ? scene.segments.label[row] : state.newLabel;
  const videos = source.numCorrected?.() ?? 0, plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  const here = plural(scene.numCorrections ?? 0, "correction");
  parts.corrected.textContent = `${here} in this video (◤), ${plural(videos, "video")} corrected`;
  parts.corrected.hidden = !state.editing && !videos;
}

// src/dragging.js
var EDGE_PX = 6;
function takeHold(panel, event) {
  const { scene } = panel;
  if (!scene.editing || event.offsetX < scene.left || event.offsetY < AXIS_PX) return null;
  const row = rowUnder(panel, event), at = timeAt(scene, event.offsetX);
  if (row >= 0) {
    const before = segmentOf(scene.segments, row);
    return isTruth(scene.segments, row) ? { row, part: partAt(panel, row, event.offsetX), at, before } : null;
  }
  const y = event.offsetY - AXIS_PX + panel.parts.scroller.scrollTop;
  const lane = scene.lanes.find((one) => y >= one.top && y < one.top + one.height);
  const label = lane && lane.label >= 0 ? lane.label : scene.newLabel;
  return scene.names.length ? { row, part: "end", at, before: { start: at, end: at, label }, y } : null;
}
function partAt({ scene }, row, x) {
  const { view, left, width, segments } = scene, perSec = (width - left) / (view.to - view.from);
  const from = left + (segments.start[row] - view.from) * perSec, to = left + (segments.end[row] - view.from) * perSec;
  const edge = Math.min(EDGE_PX, (to - from) / 3);
  return x <= from + edge ? "start" : x >= to - edge ? "end" : "whole";
}
function dragHeld(panel, held, event) {
  const { scene } = panel, limit = limitSec(panel), time = timeAt(scene, Math.max(event.offsetX, scene.left));
  const ends = [held.at, time].map((one) => rounded(one, limit)).sort((a, b) => a - b);
  const draft = held.row < 0 ? { ...held.before, start: ends[0], end: ends[1] } : moved(held.before, held.part, time - held.at, limit);
  panel.set({ draft: { ...held, after: draft } });
  const { start, end, label } = draft;
  say(panel, `${scene.names[label]}: ${start.toFixed(2)} to ${end.toFixed(2)} s (${(end - start).toFixed(2)} s)`);
  redraw(panel);
}
function letGo(panel, keep) {
  const { draft } = panel.scene;
  panel.set({ draft: null });
  if (!draft) return;
  if (keep) replaceTruth(panel, draft.row, draft.after);
  redraw(panel);
}
function editCursor(panel, row, event) {
  const { scene } = panel;
  if (!scene.editing || event.offsetX < scene.left || event.offsetY < AXIS_PX) return "";
  if (row < 0) return "crosshair";
  if (!isTruth(scene.segments, row)) return "";
  return partAt(panel, row, event.offsetX) === "whole" ? "move" : "ew-resize";
}
function drawEdits(pen, scene, xOf) {
  const { segments, shown, lanes, looks, left } = scene;
  for (const row of segments.edited) {
    const place = shown[row] === HIDDEN ? null : rowOf(lanes, segments, row), x = xOf(segments.start[row]);
    if (place && x >= left - 8) drawFlag(pen, looks.palette, x, place.top);
  }
  if (scene.editing) {
    const row = scene.picked.findLast((one) => isTruth(segments, one)), place = row >= 0 && rowOf(lanes, segments, row);
    if (place && !scene.draft) drawHandles(pen, scene, xOf(segments.start[row]), xOf(segments.end[row]), place);
  }
  if (scene.draft) drawDraft(pen, scene, xOf);
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
    ["end", to]
  ]) {
    const chosen = held === part || held === "whole", half = chosen ? 4 : 2.5;
    pen.fillStyle = chosen ? looks.palette.mark : looks.palette.paper;
    pen.strokeStyle = looks.palette.mark;
    pen.lineWidth = 1.5;
    pen.fillRect(x - half, top + 0.7 * height - half, 2 * half, 2 * half);
    pen.strokeRect(x - half, top + 0.7 * height - half, 2 * half, 2 * half);
  }
}
function drawDraft(pen, { draft, lanes, segments, looks }, xOf) {
  const { after, row, y } = draft, lane = lanes.find((one) => y >= one.top && y < one.top + one.height);
  const { top, height } = row >= 0 ? rowOf(lanes, segments, row) : lane?.rows[0] ?? { top: y - 8, height: GT_ROW_PX };
  pen.strokeStyle = looks.palette.mark;
  pen.lineWidth = 2;
  pen.setLineDash([5, 3]);
  pen.strokeRect(xOf(after.start), top, Math.max(xOf(after.end) - xOf(after.start), 1), height - 1);
  pen.setLineDash([]);
}

// src/drawing.js
var AXIS_PX = 26;
var NARROW_PX = 3;
var LOWEST = 0.45;
function fitCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return pen;
}
function drawScene(canvas, scene) {
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
  for (const id of /* @__PURE__ */ new Set([...scene.picked, scene.hovered])) outline(pen, scene, id, xOf);
  pen.beginPath();
  pen.rect(scene.left - 5, 0, width, scene.scrollTop + height);
  pen.clip();
  drawEdits(pen, scene, xOf);
  pen.restore();
}
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
    const kind = shown[i], x = xOf(segments.start[i]), end = xOf(segments.end[i]);
    const score = isTruth(segments, i) ? 1 : Math.min(Math.max(segments.score[i], 0), 1);
    const height = Math.max((row.height - 1) * (LOWEST + (1 - LOWEST) * score), 3);
    if (end - x < NARROW_PX) {
      const from = Math.floor(Math.min(x, (x + end) / 2 - 1)), to = Math.max(Math.ceil(end), from + 2);
      const same = kind === run.kind || to <= run.to && run.to - run.from <= 2;
      if (from <= run.to && run.kind !== HIDDEN && same) {
        Object.assign(run, { to: Math.max(run.to, to), height: Math.max(run.height, height) });
        run.kind = Math.max(run.kind, kind);
      } else {
        flush();
        Object.assign(run, { kind, from, to, height });
      }
    } else {
      flush();
      const from = Math.max(x, left - 20), to = Math.min(end, width + 20), y = row.top + row.height - 1 - height;
      drawBar(pen, looks, kind, from, y, to - from, height);
      const visible = Math.max(from, left), wide = Math.min(to, width) - visible;
      if (scene.stacked) drawName(pen, looks, kind, scene.names[segments.label[i]], visible, y, wide, height);
      else drawLetter(pen, looks, kind, visible, y, wide, height);
    }
  }
  flush();
}
function outline(pen, scene, id, xOf) {
  if (id < 0 || scene.shown[id] === HIDDEN) return;
  const row = rowOf(scene.lanes, scene.segments, id);
  if (!row) return;
  const x = Math.max(xOf(scene.segments.start[id]), scene.left - 20);
  const end = Math.min(xOf(scene.segments.end[id]), scene.width + 20);
  if (end < scene.left || x > scene.width) return;
  pen.strokeStyle = scene.looks.palette.mark;
  pen.lineWidth = scene.picked.includes(id) ? 2.5 : 1.5;
  pen.setLineDash([]);
  const middle = (x + end) / 2, half = Math.max((end - x) / 2, 3) + 1;
  pen.strokeRect(Math.max(middle - half, scene.left), row.top - 1, 2 * half, row.height + 1);
}
function drawLaneName(pen, scene, lane) {
  const { palette } = scene.looks;
  pen.fillStyle = palette.paper;
  pen.fillRect(0, lane.top - LANE_GAP_PX / 2, scene.left - 1, lane.height + LANE_GAP_PX);
  pen.fillStyle = palette.line;
  pen.fillRect(0, lane.top + lane.height + LANE_GAP_PX / 2 - 0.5, scene.width, 1);
  pen.fillStyle = palette.ink;
  pen.font = "13px system-ui, sans-serif";
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  const name = shorten(pen, lane.name ?? scene.names[lane.label], scene.left - 14);
  pen.fillText(name, 6, lane.top + Math.min(lane.height, 32) / 2);
}
function shorten(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let low = 0, high = text.length;
  while (low < high) {
    const middle = low + high + 1 >> 1;
    if (pen.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}…`;
}
var STEPS_SEC = [
  1e-3,
  2e-3,
  5e-3,
  0.01,
  0.02,
  0.05,
  0.1,
  0.2,
  0.5,
  1,
  2,
  5,
  10,
  30,
  60,
  120,
  300,
  600,
  1800,
  3600
];
function drawAxis(pen, scene, xOf) {
  const { view, left, width, height, looks } = scene;
  const perSec = (width - left) / (view.to - view.from);
  const step2 = STEPS_SEC.find((sec) => sec * perSec >= 74) ?? 3600 * Math.ceil(74 / (3600 * perSec));
  pen.font = "12px system-ui, sans-serif";
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillStyle = looks.palette.quiet;
  pen.fillText(view.end >= 120 ? "time [min:s]" : "time [s]", 6, AXIS_PX / 2);
  pen.textAlign = "center";
  for (let k = Math.ceil(view.from / step2); k * step2 <= view.to; k++) {
    const x = Math.round(xOf(k * step2));
    pen.fillStyle = looks.palette.line;
    pen.fillRect(x, AXIS_PX - 6, 1, height);
    const text = clock(k * step2, view.end, step2);
    const half = pen.measureText(text).width / 2;
    pen.fillStyle = looks.palette.quiet;
    pen.fillText(text, Math.min(Math.max(x, left + half), width - half - 1), AXIS_PX / 2 - 2);
  }
}
function clock(seconds, endSec, step2) {
  const digits = step2 >= 1 ? 0 : Math.ceil(-Math.log10(step2));
  if (endSec < 120) return seconds.toFixed(digits);
  const rounded2 = Number(Math.abs(seconds).toFixed(digits)), rest = (rounded2 % 60).toFixed(digits);
  return `${seconds < 0 ? "−" : ""}${Math.floor(rounded2 / 60)}:${rest.padStart(digits ? digits + 3 : 2, "0")}`;
}
function drawOverview(canvas, scene, kept) {
  const { view, left, width, looks } = scene, height = 36;
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
  const pen = picture.getContext("2d"), scale = width / (view.end - view.begin);
  const bands = [
    [FOUND, 3, 9],
    [MISS, 3, 9],
    [HIT, 14, 9],
    [HIT + 1, 25, 9]
  ];
  for (const [band, top, bandHeight] of bands) {
    pen.fillStyle = band > HIT ? looks.palette.edge[KINDS.length - 1] : plainColor(looks.palette, band);
    let done = -1;
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

// src/controls.js
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
function labelled(text, control, ...more) {
  return make("label", {}, make("span", {}, text), control, ...more);
}
var ORDERS = {
  name: ["by name", (a, b) => a.video.localeCompare(b.video, void 0, { numeric: true })],
  ap: ["worst AP first", (a, b) => (a.ap ?? 2) - (b.ap ?? 2)],
  errors: ["most errors first", (a, b) => b.errors - a.errors]
};
function describeVideo(video, corrected) {
  const ap = video.ap === null ? "no ground truth" : `AP ${Math.round(100 * video.ap)} %`;
  const errors = `${video.errors} ${video.errors === 1 ? "error" : "errors"}${corrected ? " before editing" : ""}`;
  return `${video.video} (${ap}, ${errors})`;
}
function videoControls(info, choose, isCorrected = () => false) {
  const select = make("select", { "data-role": "video", onchange: () => choose(select.value) });
  const order = make("select", { "data-role": "order", onchange: () => fill() });
  for (const [key, [text]] of Object.entries(ORDERS)) order.append(make("option", { value: key }, text));
  const search = make("input", { type: "search", placeholder: "part of its name", "data-role": "search", size: 14 });
  search.addEventListener("input", () => fill());
  const fill = (current = select.value) => {
    const wanted = search.value.trim().toLowerCase();
    const found = info.videos.filter((video) => video.video.toLowerCase().includes(wanted));
    const known = found.some((video) => video.video === current);
    const options = [...found].sort(ORDERS[order.value][1]).map((video) => {
      return make("option", { value: video.video }, describeVideo(video, isCorrected(video.video)));
    });
    if (!known) options.unshift(make("option", { value: current, hidden: "" }, current));
    select.replaceChildren(...options);
    select.value = current;
    if (!known && found.length) choose(options[1].value);
  };
  const elements = [labelled("find a video", search), labelled("order", order), labelled("video", select)];
  return { elements, fill };
}
function classControls(names, panel) {
  const summary = make("summary", {}, "classes: all");
  const search = make("input", { type: "search", placeholder: "part of a class name", "aria-label": "find a class" });
  const boxes = names.map((name, label) => {
    const box = make("input", { type: "checkbox", "data-label": label });
    box.checked = true;
    box.addEventListener("change", () => set([label], box.checked));
    return { box, name: name.toLowerCase(), item: make("label", { class: "class" }, box, make("span", {}, name)) };
  });
  const set = (labels, on) => {
    const others = [...panel.state.hidden].filter((label) => !labels.includes(label));
    panel.set({ hidden: new Set(on ? others : [...others, ...labels]) });
  };
  const show = (hidden) => {
    summary.textContent = hidden.size ? `classes: ${names.length - hidden.size} of ${names.length}` : "classes: all";
    for (const [label, { box }] of boxes.entries()) box.checked = !hidden.has(label);
  };
  const listed = () => [...boxes.keys()].filter((label) => !boxes[label].item.hidden);
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const entry of boxes) entry.item.hidden = !entry.name.includes(wanted);
  });
  const all = make("button", { type: "button", "data-role": "all-classes", onclick: () => set(listed(), true) }, "all");
  const none = make(
    "button",
    { type: "button", "data-role": "no-classes", onclick: () => set(listed(), false) },
    "none"
  );
  const list = make("div", { class: "list" }, ...boxes.map((entry) => entry.item));
  const drop = make("div", { class: "drop" }, search, all, none, list);
  return { element: make("details", { class: "classes" }, summary, drop), show };
}
function legend(looks) {
  const entries = KINDS.map((name, kind) => {
    const canvas = make("canvas", { "aria-hidden": "true" });
    const pen = fitCanvas(canvas, 26, 14);
    drawBar(pen, looks, kind, 0, 0, 26, 14);
    drawLetter(pen, looks, kind, 0, 0, 26, 14);
    const text = kind === FOUND ? "ground truth, found" : kind === MISS ? "ground truth, missed" : name;
    return make("span", { class: "entry" }, canvas, text);
  });
  return entries;
}
var KEYS = "Keys: arrows move, + and − zoom, 0 shows all, n and p step to the next and previous error, Escape clears";
var HOW_TO_EDIT = "Drag an end, the middle, or on empty space to add. Keys: , and . choose an annotation, [ ] m its start, end or all, arrows move that by 0.1 s (with Shift 1 s), i adds, a accepts a prediction, Delete, Ctrl+Z.";
function segmentLines(segments, shown, names, i) {
  const { start, end, label, score, partner, tiou } = segments;
  const times = (k) => `${start[k].toFixed(2)} to ${end[k].toFixed(2)} s`;
  const kind = shown[i], truth = isTruth(segments, i);
  const lines = [names[label[i]], `${times(i)} (${(end[i] - start[i]).toFixed(2)} s)`];
  if (truth) lines.push(kind === FOUND ? "ground truth, found" : "ground truth, missed");
  else lines.push(`prediction, ${kind === HIT ? "hit" : `error: ${KINDS[kind]}`}`, `score ${score[i].toFixed(3)}`);
  const other = partner[i];
  if (other >= 0 && kind !== MISS) {
    const what = truth ? "found by the prediction" : kind === HIT ? "matches" : "nearest:";
    const which = label[other] === label[i] ? "" : `${names[label[other]]}, `;
    const sure = truth ? `, score ${score[other].toFixed(3)}` : "";
    lines.push(`tIoU ${tiou[i].toFixed(3)}`, `${what} ${which}${times(other)}${sure}`);
  }
  return lines;
}

// src/compare.js
var SHARED = ["minScore", "topK", "stacked", "curves", "curveOf"];
function openInspectors(root, sources) {
  const several = sources.length > 1;
  const roots = several ? sources.map(() => make("section", {})) : [root];
  if (several) {
    root.classList.add("afkit-compared");
    root.append(...roots);
  }
  const panels = sources.map((source, i) => openInspector(roots[i], source));
  const inspectors = { panels, leader: panels[0], dispose: () => panels.forEach(closeInspector) };
  if (several) {
    root.inspector = inspectors;
    panels.forEach((panel) => shareActions(inspectors, panel));
    shareView(inspectors, panels[0]);
  }
  return inspectors;
}
function openInspector(root, source) {
  const panel = createPanel(root, source);
  panel.tracks = createTracks(panel, source);
  root.inspector = panel;
  return panel;
}
function closeInspector(panel) {
  panel.dispose();
  panel.tracks.dispose();
}
function shareActions(inspectors, panel) {
  const lead = () => {
    inspectors.leader = panel;
  };
  for (const type of ["pointerdown", "wheel", "keydown", "input", "change"]) {
    panel.root.addEventListener(type, lead, { capture: true, passive: true });
  }
  panel.root.addEventListener("drawn", () => shareView(inspectors, panel));
  panel.root.addEventListener("cursor", (event) => {
    lead();
    for (const other of inspectors.panels) if (other !== panel) other.set({ cursorSec: event.detail });
  });
}
function shareView({ panels, leader }, drawn) {
  if (!panels.every((panel) => panel.scene.segments)) return;
  const { video, tiou } = leader.state;
  if (panels.every((panel) => panel.state.video === video)) alignEnds(panels);
  if (drawn !== leader) return;
  for (const other of panels.filter((panel) => panel !== leader)) {
    const wanted = JSON.stringify([video, tiou]), same = other.state.video === video && other.state.tiou === tiou;
    if (!same && other.asked !== wanted) other.source.ask(video, tiou);
    other.asked = same ? "" : wanted;
    if (other.state.video === video) followLeader(other, leader);
  }
}
function alignEnds(panels) {
  const views = panels.map((panel) => panel.state.view);
  const begin = Math.min(...views.map((view) => view.begin)), end = Math.max(...views.map((view) => view.end));
  for (const [i, panel] of panels.entries()) {
    const view = views[i], whole = view.from === view.begin && view.to === view.end;
    if (view.begin === begin && view.end === end) continue;
    panel.set({ view: whole ? { begin, end, from: begin, to: end } : { ...view, begin, end } });
    panel.filter();
  }
}
function followLeader(other, { state, info }) {
  const shared = Object.fromEntries(SHARED.map((name) => [name, state[name]]));
  const hidden = [...state.hidden].map((label) => other.info.classes.indexOf(info.classes[label]));
  const same = hidden.length === other.state.hidden.size && hidden.every((label) => other.state.hidden.has(label));
  other.set({ ...shared, hidden: same ? other.state.hidden : new Set(hidden) });
  const { from, to } = state.view, { view } = other.state;
  if (Math.abs(view.from - from) + Math.abs(view.to - to) > 1e-9 * (to - from)) other.look(from, to);
}

// src/kernel.js
var NUM_FACTS = 5;
var NUM_MATCHING = 3;
function render({ model, el }) {
  const root = document.createElement("div");
  el.append(root);
  const questions = askByMessages(model);
  const sources = model.get("runs").map((info, run) => kernelSource(model, questions.ask, info, run));
  if (sources.length === 1) takeCorrections(model, sources[0]);
  const inspectors = openInspectors(root, sources);
  const stop = followModel(model, sources, inspectors);
  return () => {
    stop();
    inspectors.dispose();
    questions.dispose();
  };
}
function askByMessages(model) {
  const waiting = /* @__PURE__ */ new Map();
  const receive = (content, buffers) => {
    const data = (buffers ?? []).map(
      ({ buffer, byteOffset, byteLength }) => buffer.slice(byteOffset, byteOffset + byteLength)
      // aligned
    );
    waiting.get(content.answer)?.({ ...content, data });
    waiting.delete(content.answer);
  };
  model.on("msg:custom", receive);
  const ask = (question) => new Promise((resolve) => {
    const id = String(Math.random());
    waiting.set(id, resolve);
    model.send({ question, id });
  });
  return { ask, dispose: () => model.off("msg:custom", receive) };
}
function kernelSource(model, ask, info, run) {
  const source = {
    info,
    settings: { ...settingsOf(model), video: model.get("video"), tiou: model.get("tiou") },
    slowCurves: true,
    wanted: null,
    // { video, tiou } of the last question
    waits: false,
    // for its answer
    track: (track, video) => ask({ track, video, run }),
    async ask(video, tiou) {
      const wanted = { video, tiou };
      Object.assign(source, { wanted, waits: true });
      if (run === 0) save(model, wanted);
      const { data, original, segments, ...shown } = await ask({ track: "segments", video, tiou, run });
      if (source.wanted !== wanted) return;
      source.waits = false;
      const [facts, matching] = unpackSegments(data[0], segments);
      source.panel.receive({ ...shown, original: readRows(info, original) }, facts, matching);
    },
    tell({ minScore, topK }) {
      if (minScore !== model.get("min_score") || topK !== model.get("top_k"))
        save(model, { min_score: minScore, top_k: topK });
    },
    pick() {
    },
    connect(panel) {
      source.panel = panel;
    }
  };
  return source;
}
function takeCorrections(model, source) {
  let saves = false;
  source.pick = (rows) => save(model, { picked: rows });
  source.correct = (video, list) => {
    const rows = list.map(({ start, end, label }) => [start, end, source.info.label_ids[label]]);
    saves = true;
    save(model, { corrections: { ...model.get("corrections"), [video]: rows } });
    saves = false;
    if (source.waits) source.ask(source.wanted.video, source.wanted.tiou);
  };
  source.isCorrected = (video) => video in model.get("corrections");
  source.numCorrected = () => Object.keys(model.get("corrections")).length;
  source.hearCorrections = () => {
    const { panel, info } = source;
    if (saves || !panel.scene.segments) return;
    const rows = model.get("corrections")[panel.state.video];
    const list = rows ? readRows(info, rows) : panel.scene.original;
    if (countCorrections(list, truthOf(panel.scene.segments))) source.ask(source.wanted.video, source.wanted.tiou);
    else reportEditing(panel);
  };
}
function followModel(model, sources, inspectors) {
  const [source] = sources;
  const follow = () => {
    const [video, tiou] = [model.get("video"), model.get("tiou")];
    inspectors.leader = source.panel;
    if (source.wanted.video !== video || source.wanted.tiou !== tiou) source.ask(video, tiou);
    source.panel.set(settingsOf(model));
  };
  const calls = ["video", "tiou", "min_score", "top_k"].map((name) => [`change:${name}`, follow]);
  if (source.hearCorrections) calls.push(["change:corrections", source.hearCorrections]);
  for (const [event, call] of calls) model.on(event, call);
  return () => calls.forEach(([event, call]) => model.off(event, call));
}
function settingsOf(model) {
  return { minScore: model.get("min_score"), topK: model.get("top_k") };
}
function save(model, changes) {
  model.set(changes);
  model.save_changes();
}
function readRows({ label_ids: ids }, rows) {
  return rows.map(([start, end, id]) => ({ start, end, label: ids.indexOf(id) }));
}
function unpackSegments(bytes, n) {
  return [new Float64Array(bytes, 0, NUM_FACTS * n), new Float32Array(bytes, NUM_FACTS * 8 * n, NUM_MATCHING * n)];
}

// src/saving.js
function keepCorrections(source, data) {
  const { info } = source, corrections = /* @__PURE__ */ new Map();
  const snapshot = () => JSON.stringify([...corrections]);
  let saved = snapshot();
  const originalOf = (video) => {
    const [, facts, matching] = source.read(video, info.tiou);
    return truthOf(segmentColumns(facts, matching));
  };
  source.ask = (video, tiou) => {
    const [shown, ...columns] = source.read(video, tiou), segments = segmentColumns(...columns);
    const list = corrections.get(video), corrected = list ? withTruth(segments, list, tiou) : columns;
    source.panel.receive({ ...shown, original: truthOf(segments) }, ...corrected);
  };
  source.correct = (video, list) => {
    if (countCorrections(originalOf(video), list)) corrections.set(video, list);
    else corrections.delete(video);
  };
  source.isCorrected = (video) => corrections.has(video);
  source.numCorrected = () => corrections.size;
  source.save = () => {
    const lists = info.videos.map(({ video }) => [video, corrections.get(video) ?? originalOf(video)]);
    download("annotations_corrected.json", annotationFile(lists, info, data.files));
    saved = snapshot();
    let count = 0;
    for (const [video, list] of corrections) count += countCorrections(originalOf(video), list);
    const videos = `${lists.length} ${lists.length === 1 ? "video" : "videos"}`;
    return `Saved the annotations of ${videos}, with ${count} ${count === 1 ? "correction" : "corrections"}.`;
  };
  window.addEventListener("beforeunload", (event) => {
    if (snapshot() !== saved) event.preventDefault();
  });
  return source;
}
function annotationFile(lists, info, files) {
  const entry = ({ start, end, label }) => {
    return { label: info.classes[label], segment: [start, end], label_id: info.label_ids[label] };
  };
  const videos = lists.map(([video, list]) => {
    const { annotations: hidden = [], ...facts } = files[video];
    return [video, { ...facts, annotations: [...list.map(entry), ...hidden] }];
  });
  return `${JSON.stringify({ database: Object.fromEntries(videos) }, null, 2)}
`;
}
function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1e3);
}

// src/page.js
function openPage(root, data) {
  const sources = (data.runs ?? [data]).map(pageSource);
  if (sources.length === 1) keepCorrections(sources[0], data);
  return openInspectors(root, sources);
}
function pageSource(data) {
  const { info } = data;
  const number = new Map(info.videos.map((video, i) => [video.video, i]));
  const first = [...info.videos].sort(ORDERS.errors[1])[0];
  const source = {
    info,
    settings: { video: first?.video ?? "", tiou: info.tiou, minScore: info.min_score, topK: 0 },
    ask: (video, tiou) => source.panel.receive(...source.read(video, tiou)),
    read(video, tiou) {
      const i = number.get(video);
      const { facts, matching } = data.segments[i] ?? { facts: "", matching: {} };
      const shown = { video, tiou, duration_sec: info.videos[i]?.duration_sec ?? 0 };
      const matched = decode(matching[info.tious.indexOf(tiou)] ?? "");
      return [shown, new Float64Array(decode(facts)), new Float32Array(matched)];
    },
    track(kind, video) {
      const track = data.tracks[number.get(video)][kind];
      return Promise.resolve({ ...track, data: track.data.map(decode) });
    },
    tell() {
    },
    pick() {
    },
    connect(panel) {
      source.panel = panel;
    }
  };
  return source;
}
function decode(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes.buffer;
}

// src/main.js
var main_default = { render };
export {
  main_default as default,
  openPage
};
