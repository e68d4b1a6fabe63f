// What a page does with corrections: it saves them as a file, and asks before they are lost.

import { make } from "./controls.js";
import { countCorrections } from "./correcting.js";
import { originalOf } from "./run.js";

// data.files: { video: what its annotation file says of it beside the segments }.
export function keepCorrections(source, data) {
  const { info } = source;
  const snapshot = () => JSON.stringify([...(source.panel.run?.edited ?? [])]);
  let saved = "[]";
  source.correct = () => {}; // they are kept in the run
  source.save = () => {
    const { run } = source.panel;
    const lists = info.videos.map(({ video }) => [video, run.edited.get(video) ?? originalOf(run, video)]);
    download("annotations_corrected.json", annotationFile(lists, info, data.files));
    saved = snapshot();
    let count = 0;
    for (const [video, list] of run.edited) count += countCorrections(originalOf(run, video), list);
    const videos = `${lists.length} ${lists.length === 1 ? "video" : "videos"}`;
    return `Saved the annotations of ${videos}, with ${count} ${count === 1 ? "correction" : "corrections"}.`;
  };
  window.addEventListener("beforeunload", (event) => {
    if (snapshot() !== saved) event.preventDefault(); // asks whether to leave
  });
}

// Text of an annotation file, in the format that afkit/data/annotations.py reads.
function annotationFile(lists, info, files) {
  const entry = ({ start, end, label }) => {
    return { label: info.classes[label], segment: [start, end], label_id: info.label_ids[label] };
  };
  const videos = lists.map(([video, list]) => [video, { ...files[video], annotations: list.map(entry) }]);
  return `${JSON.stringify({ database: Object.fromEntries(videos) }, null, 2)}\n`;
}

function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000); // the browser has begun by then
}
