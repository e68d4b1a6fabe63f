// A browser starts no worker for a page from the disk (file://). There, what the worker of the search would run runs in
// a hidden frame of the page, with the same two calls.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
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

    postMessage(data) {
      this.begun.then((inside) => inside.dispatchEvent(new MessageEvent("message", { data })));
    }
  };
}
