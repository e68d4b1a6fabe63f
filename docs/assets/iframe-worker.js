// The site's search runs in a worker, which lacks two things.

// Of a whole question only those words count that say what it is about, and a word that begins with hyphens, as the
// option --set, is a word to look for, not one to leave out.
const FILLERS = new Set("how do does can i we to use a an the of my with what is are it on for in from".split(" "));
const asked = (message) => {
  if (typeof message?.data !== "string") return message;
  const words = message.data.split(/\s+/).map((word) => word.replace(/^-+/, ""));
  const telling = words.filter((word) => !FILLERS.has(word.toLowerCase()));
  return { ...message, data: telling.join(" ") || message.data };
};

// A browser starts no worker for a page from the disk (file://): there, what the worker would run runs in a hidden frame.
window.Worker =
  location.protocol === "file:"
    ? class extends EventTarget {
        constructor(url) {
          super();
          const frame = document.createElement("iframe");
          frame.hidden = true;
          frame.srcdoc = `<script src="${String(url).replaceAll('"', "%22")}"></script>`;
          this.begun = new Promise((resolve) => {
            frame.addEventListener("load", () => resolve(frame.contentWindow));
          }).then((inside) => {
            inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
            return inside;
          });
          document.documentElement.append(frame);
        }

        postMessage(message) {
          this.begun.then((inside) => inside.dispatchEvent(new MessageEvent("message", { data: asked(message) })));
        }
      }
    : class extends Worker {
        postMessage(message) {
          super.postMessage(asked(message));
        }
      };
