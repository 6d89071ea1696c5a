// What the page itself must know before and apart from its widgets: when to take the skeleton away,
// and what to say when the kernel behind it is gone.
"use strict";

window.usage = (() => {
  const SLOW_START = 60_000;
  const RECONNECTING = 8_000;
  let shown = false;

  const notice = (text) => {
    const box = document.querySelector(".usage-notice");
    box.querySelector("p").textContent = text;
    box.hidden = false;
  };
  const quiet = () => {
    document.querySelector(".usage-notice").hidden = true;
  };

  const fail = () => {
    shown = true;
    document.querySelector(".usage-skeleton")?.remove();
    document.getElementById("usage-status").textContent = "";
    const page = document.createElement("section");
    page.className = "usage-failed";
    page.setAttribute("role", "alert");
    page.innerHTML =
      "<h1>This page could not be put together</h1>" +
      "<p>Something went wrong on our side; your data is safe. " +
      "Whoever runs this server finds the reason in its log.</p>" +
      '<p><button type="button" class="button">Try again</button></p>';
    page.querySelector("button").onclick = () => location.reload();
    document.body.append(page);
  };

  const watch = new MutationObserver(() => {
    if (shown || !document.querySelector(".usage-page .top")) return;
    shown = true;
    document.querySelector(".usage-skeleton")?.remove();
    document.getElementById("usage-status").textContent = "";
    quiet();
    watch.disconnect();
  });
  watch.observe(document.documentElement, { childList: true, subtree: true });

  setTimeout(() => {
    if (!shown) notice("This is taking unusually long. Reloading the page may help.");
  }, SLOW_START);

  // The bundle reconnects by itself and says nothing; a kernel that was restarted knows no widgets.
  // Both show only in the kernel's websocket, so that is where we look.
  const decoder = new TextDecoder();
  const lost = /"execution_state": ?"(dead|restarting|autorestarting)"/;
  let leaving = false;
  let pending;
  addEventListener("beforeunload", () => (leaving = true));
  window.WebSocket = class extends WebSocket {
    constructor(...address) {
      super(...address);
      this.addEventListener("open", () => {
        clearTimeout(pending);
      });
      this.addEventListener("message", ({ data }) => {
        const text = typeof data === "string" ? data : decoder.decode(data);
        if (text.length < 4000 && lost.test(text)) {
          notice("The connection to your numbers was lost. Reload the page to go on.");
        }
      });
      this.addEventListener("close", () => {
        if (leaving) return;
        clearTimeout(pending);
        pending = setTimeout(() => {
          notice("The server does not answer any more. Reload the page once it runs again.");
        }, RECONNECTING);
      });
    }
  };

  // bqplot leaves figures outside the window as they were when the window's size changes, and draws
  // them anew before the eyes of whoever scrolls there, or not at all on paper.
  window.IntersectionObserver = class extends IntersectionObserver {
    constructor(callback, options) {
      super(callback, { rootMargin: "20000px 0px", ...options });
    }
  };

  // A page that comes back from the browser's cache has lost its kernel when it was left.
  addEventListener("pageshow", (event) => event.persisted && location.reload());

  // Called by snippets that Voila sends while a cell takes long.
  window.voila_heartbeat = window.voila_process = window.voila_finish = () => {};
  return { fail };
})();
