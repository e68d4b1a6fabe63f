// What a page does with corrections: it keeps them, saves them as a file, and asks before they are lost.

import { make } from "./controls.js";
import { countCorrections, truthOf, withTruth } from "./correcting.js";
import { segmentColumns } from "./segments.js";

// data.files: { video: what its annotation file says of it beside the segments }.
export function keepCorrections(source, data) {
  const { info } = source,
    corrections = new Map(); // video -> list
  const snapshot = () => JSON.stringify([...corrections]);
  let saved = snapshot();
  const originalOf = (video) => {
    const [, facts, matching] = source.read(video, info.tiou);
    return truthOf(segmentColumns(facts, matching));
  };
  source.ask = (video, tiou) => {
    const [shown, ...columns] = source.read(video, tiou),
      segments = segmentColumns(...columns);
    const list = corrections.get(video),
      corrected = list ? withTruth(segments, list, tiou) : columns;
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
    if (snapshot() !== saved) event.preventDefault(); // asks whether to leave
  });
  return source;
}

// Text of an annotation file, in the format that afkit/data/annotations.py reads.
function annotationFile(lists, info, files) {
  const entry = ({ start, end, label }) => {
    return { label: info.classes[label], segment: [start, end], label_id: info.label_ids[label] };
  };
  const videos = lists.map(([video, list]) => {
    const { annotations: hidden = [], ...facts } = files[video]; // in parts that are not judged
    return [video, { ...facts, annotations: [...list.map(entry), ...hidden] }];
  });
  return `${JSON.stringify({ database: Object.fromEntries(videos) }, null, 2)}\n`;
}

function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000); // the browser has begun by then
}
