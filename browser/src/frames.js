// One frame of a film on or back, however long each lasts: the browser tells the time of the frame that a seek shows.

// Browsers cut times off to whole microseconds: 0.03 s would show the frame before the one that begins there.
export const INTO_FRAME_SEC = 1e-5;
const ANSWER_MS = 2000, // within which a seek shows its frame
  SAME_SEC = 5e-4, // between the times of one frame
  FIRST_SEC = 0.04, // looked on at first, where nothing is known of the film
  MOST_SEEKS = 40;

// The start of the next frame (by 1) or of the one before (by -1), seen from the frame at `sec`, and how long the shorter
// of both is: { sec, frameSec }. Null where there is none, or this browser does not tell.
export async function neighbourFrame(video, sec, by, frameSec) {
  const here = await frameAt(video, sec);
  if (here === null) return null;
  const found = by < 0 ? await frameAt(video, here - SAME_SEC) : await nextFrame(video, here, frameSec);
  if (found === null || by * (found - sec) < SAME_SEC) return null; // some browsers are late in films of uneven frames
  const passed = Math.abs(found - here);
  return { sec: Math.max(Math.ceil(1000 * found - 0.01), 0) / 1000, frameSec: Math.min(frameSec ?? passed, passed) }; // whole ms
}

// Further and further on until another frame is there, then back as long as there is one between.
async function nextFrame(video, here, frameSec) {
  let found = here;
  for (let ahead = frameSec ?? FIRST_SEC; found < here + SAME_SEC; ahead *= 2) {
    const wanted = Math.min(here + ahead + SAME_SEC, video.duration);
    found = await frameAt(video, wanted);
    if (found === null || (wanted === video.duration && found < here + SAME_SEC)) return null;
  }
  for (let seeks = 0; seeks < MOST_SEEKS; seeks++) {
    const before = await frameAt(video, found - SAME_SEC);
    if (before === null || before < here + SAME_SEC) break;
    found = before;
  }
  return found;
}

// The time at which the frame begins that a film shows at a time; null where the browser does not tell, as of files that
// are opened without a server.
function frameAt(video, sec) {
  return new Promise((tell) => {
    const end = (answer) => {
      clearTimeout(late);
      video.removeEventListener("seeked", read);
      tell(answer);
    };
    const late = setTimeout(() => end(null), ANSWER_MS),
      read = () => video.seeking || end(shownSec(video)); // while it seeks, that was another seek
    video.addEventListener("seeked", read);
    video.currentTime = Math.max(sec, 0) + INTO_FRAME_SEC;
  });
}

function shownSec(video) {
  try {
    const frame = new VideoFrame(video),
      sec = frame.timestamp / 1e6;
    frame.close();
    return sec;
  } catch {
    return null;
  }
}
