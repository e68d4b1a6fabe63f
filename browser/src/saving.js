// What a page does with corrections: it keeps them as a draft in the browser, saves them as a file, and asks before they
// are lost.

import { make } from "./controls.js";
import { countCorrections } from "./correcting.js";
import { reportEditing } from "./edit_report.js";
import { placeOfClass } from "./labelling.js";
import { correctRun, originalOf } from "./run.js";

const DRAFT_MS = 300; // after a change, until the draft is written
const NAME = "annotations_corrected.json";

// data.files: { video: what its annotation file says of it beside the segments }.
export function keepCorrections(source, data) {
  const { info } = source,
    kept = { draft: draftKey(data), isDrafted: true, saved: "", file: null, timer: 0 };
  const contents = () => {
    const { run, state } = source.panel;
    const { undo, redo } = state,
      names = info.classes.slice(source.numClasses).map((name, i) => [name, info.label_ids[source.numClasses + i]]);
    return { names, edited: [...run.edited], states: [...state.states], undo: undo.slice(-200), redo };
  };
  const isSaved = () => JSON.stringify(contents().edited) === kept.saved;
  const later = () => {
    clearTimeout(kept.timer);
    kept.timer = setTimeout(now, DRAFT_MS);
  };
  const now = () => {
    clearTimeout(kept.timer);
    kept.timer = 0;
    kept.isDrafted = writeDraft(kept.draft, contents());
    const error = kept.isDrafted ? "" : "this browser keeps no draft (it is full, or forbids it)";
    source.keeps = kept.isDrafted ? { waiting: 0, error, name: "a draft of this browser", at: new Date() } : { error };
    reportEditing(source.panel);
  };
  source.numClasses = info.classes.length; // without those that are added
  source.correct = later; // they are kept in the run
  source.keepState = later;
  source.addClass = async () => ({ label_id: Math.max(-1, ...info.label_ids) + 1 });
  source.restore = (run) => {
    const draft = readDraft(kept.draft);
    kept.saved = JSON.stringify([]);
    if (!draft) return;
    for (const [name, id] of draft.names) placeOfClass(source.panel, name, id);
    for (const [video, list] of draft.edited) correctRun(run, video, list);
    source.panel.set({ undo: draft.undo, redo: draft.redo, states: new Map(draft.states) });
    const at = new Date(draft.at).toLocaleString();
    source.info.remark = [info.remark, `The draft of ${at} was read back; undo goes back through it.`].join(" ").trim();
    source.keeps = { waiting: 0, error: "", name: "a draft of this browser", at: new Date(draft.at) };
  };
  source.save = async () => {
    const { run, state } = source.panel;
    const lists = info.videos.map(({ video }) => [video, run.edited.get(video) ?? originalOf(run, video)]);
    const written = await write(kept, annotationFile(lists, info, data.files, state.states));
    if (!written) return "Nothing was saved.";
    kept.saved = JSON.stringify(contents().edited);
    let count = 0;
    for (const [video, list] of run.edited) count += countCorrections(originalOf(run, video), list);
    const videos = `${lists.length} ${lists.length === 1 ? "video" : "videos"}`;
    return `Saved the annotations of ${videos}, with ${count} ${count === 1 ? "correction" : "corrections"}.`;
  };
  // Both would write the one draft: of several windows, that goes on which was edited.
  window.addEventListener("storage", ({ key }) => {
    if (key !== kept.draft || source.readOnly) return;
    clearTimeout(kept.timer);
    kept.timer = 0;
    source.readOnly = "this page was edited in another window; reload it to go on here";
    source.panel.set({ editing: false });
    reportEditing(source.panel);
  });
  window.addEventListener("pagehide", () => kept.timer && now());
  window.addEventListener("beforeunload", (event) => {
    if (kept.timer) now();
    if (!kept.isDrafted && !isSaved()) event.preventDefault(); // asks whether to leave
  });
}

// Drafts are told apart by what the page holds.
function draftKey({ info, facts }) {
  let sum = 0;
  const text = `${info.title} ${facts}`;
  for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) | 0;
  return `afkit draft ${info.title} ${text.length} ${sum}`;
}

function writeDraft(key, contents) {
  try {
    const { edited, states, undo, redo } = contents;
    if (!edited.length && !states.length && !undo.length && !redo.length) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify({ ...contents, at: Date.now() }));
    return true;
  } catch {
    return false;
  }
}

function readDraft(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

// Into the file that was chosen before, or is chosen now; a download where the browser lets no page choose one. Whether
// it was written.
export async function write(kept, text) {
  if (!window.showSaveFilePicker) {
    download(NAME, text);
    return true;
  }
  try {
    const types = [{ description: "annotations", accept: { "application/json": [".json"] } }];
    kept.file ??= await window.showSaveFilePicker({ suggestedName: NAME, types });
    const stream = await kept.file.createWritable();
    await stream.write(text);
    await stream.close();
    return true;
  } catch (error) {
    if (error.name === "AbortError") return false;
    kept.file = null;
    download(NAME, text);
    return true;
  }
}

// Text of an annotation file, in the format that afkit/data/annotations.py reads.
function annotationFile(lists, info, files, states) {
  const entry = ({ start, end, label, comment }) => {
    const known = { label: info.classes[label], segment: [start, end], label_id: info.label_ids[label] };
    return comment ? { ...known, comment } : known;
  };
  const videos = lists.map(([video, list]) => {
    const state = states.has(video) ? { state: states.get(video) } : {};
    const { annotations: hidden = [], ...facts } = files[video]; // in parts that are not judged
    return [video, { ...facts, ...state, annotations: [...list.map(entry), ...hidden] }];
  });
  return `${JSON.stringify({ database: Object.fromEntries(videos) }, null, 2)}\n`;
}

function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000); // the browser has begun by then
}
