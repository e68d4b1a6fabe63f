// A page that holds the segments and tracks itself.

import { openInspectors } from "./compare.js";
import { ORDERS } from "./controls.js";
import { keepCorrections } from "./saving.js";

// data: { runs: [...] }, or of one run { info, segments: [{ facts, matching }], tracks: [{ kind: facts and data }] },
// segments and tracks in the order of info.videos, matching by threshold; numbers are base64.
export function openPage(root, data) {
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
    tell() {},
    pick() {},
    connect(panel) {
      source.panel = panel;
    },
  };
  return source;
}

// The bytes of a base64 text. A plain loop: a function called for each letter takes ten times as long.
function decode(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes.buffer;
}
