// A page that holds the segments and tracks itself.

import { openInspectors } from "./compare.js";
import { ORDERS } from "./controls.js";
import { keepCorrections } from "./saving.js";

// data: { runs: [...] }, or of one run { info, facts: all segments (see run.js), tracks: [{ kind: facts and data }] in
// the order of info.videos, files }; numbers are base64.
export function openPage(root, data) {
  const sources = (data.runs ?? [data]).map(pageSource);
  if (sources.length === 1 && !data.info.annotators) keepCorrections(sources[0], data);
  const inspectors = openInspectors(root, sources);
  inspectors.leader.canvas.focus({ preventScroll: true });
  return inspectors;
}

function pageSource(data) {
  const { info } = data;
  const number = new Map(info.videos.map((video, i) => [video.video, i]));
  const first = [...info.videos].sort(ORDERS.errors[1])[0];
  const source = {
    info,
    settings: { video: first?.video ?? "", tiou: info.tiou, minScore: info.min_score, topK: 0 },
    open: (receive) => receive(decode(data.facts)),
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

// The bytes of a base64 text. Where the browser has no function for it, a plain loop: a function called for each letter
// takes ten times as long.
function decode(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text).buffer;
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes.buffer;
}
