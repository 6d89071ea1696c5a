// Makes the painted page live: connects to the visitor's kernel, builds the widgets it made, and lets
// them take the places of what was painted, all at once, when they are drawn. A small widget manager:
// boxes and parts (anywidget modules) are done here, figures by bqplot and ipywidgets' base classes.
"use strict";

(() => {
  const config = JSON.parse(document.getElementById("jupyter-config-data").textContent);
  const MARKS = ".bqplot .line, .bqplot .bar, .bqplot .slice";
  const SLOW_START = 60_000;
  const LONGEST_UNPAINTED = 500;
  const RECONNECTING = 8_000;
  const LONGEST_WAIT = 5_000;
  const RESUMING = 60_000;
  const RESUMED_AT_MOST = 3;
  const AGAIN = 30_000;
  const PROTOCOL = "v1.kernel.websocket.jupyter.org";
  const VERSION = "2.1.0";

  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  const uuid = () => Array.from(crypto.getRandomValues(new Uint8Array(16)),
    (byte) => byte.toString(16).padStart(2, "0")).join("");

  // --- what to say when something is wrong ----------------------------------------------------
  const notice = (text) => {
    const box = document.querySelector(".usage-notice");
    box.querySelector("p").textContent = text;
    box.hidden = false;
  };
  const quiet = () => {
    document.querySelector(".usage-notice").hidden = true;
  };
  document.querySelector(".usage-notice button").onclick = () => location.reload();

  const LOST = "The connection to your numbers was lost. Reload the page to go on.";
  const SILENT = "The server does not answer any more. The page goes on once it runs again.";
  const ENDED = "Your visit has ended. Open this page again from where you came, and it goes on.";
  const PROBLEMS = {
    unavailable: "Your numbers cannot be shown right now. This page tries again by itself.",
    withheld: "This page may not show you these numbers. Trying again will not help.",
    full: "These numbers are right, but too many pages are open for this one to be live. Try again in a minute.",
    many: "These numbers are right, but you have too many pages open for this one to be live. Close one, then reload.",
  };

  // A link that was used does not belong into a history.
  const address = new URL(location.href);
  if (!config.isLinkKept && address.searchParams.has("token")) {
    address.searchParams.delete("token");
    history.replaceState(history.state, "", address);
  }

  // The address says what the visitor looks at, so that a page that lost its kernel goes on as it was
  // with another one: when somebody looks, and not over and over.
  const resume = async () => {
    if (document.hidden) {
      document.addEventListener("visibilitychange", resume, { once: true });
      return;
    }
    // A browser that finds no server shows a page of its own, which never comes back to this one.
    const answer = await fetch("healthz", { cache: "no-store" }).catch(() => null);
    if (!answer || answer.status >= 500) {
      notice(SILENT);
      setTimeout(resume, LONGEST_WAIT);
      return;
    }
    const before = JSON.parse(sessionStorage.getItem("usage-resumed") ?? "[]")
      .filter((at) => Date.now() - at < RESUMING);
    if (before.length >= RESUMED_AT_MOST) {
      notice(LOST);
      return;
    }
    sessionStorage.setItem("usage-resumed", JSON.stringify([...before, Date.now()]));
    location.reload();
  };

  const failed = () => {
    notice("These numbers are right, but the page could not be made live. Reloading may help.");
  };

  // --- the kernel -----------------------------------------------------------------------------
  // Messages travel as in Jupyter's websocket protocol v1: offsets, then the parts they point at.
  const pack = (channel, message, buffers) => {
    const { header, parent_header, metadata, content } = message;
    const parts = [
      encoder.encode(channel),
      ...[header, parent_header, metadata, content].map((part) => encoder.encode(JSON.stringify(part))),
      ...buffers.map((b) => (ArrayBuffer.isView(b)
        ? new Uint8Array(b.buffer, b.byteOffset, b.byteLength) : new Uint8Array(b))),
    ];
    let end = 8 * (parts.length + 2);
    const whole = new Uint8Array(end + parts.reduce((sum, part) => sum + part.byteLength, 0));
    const view = new DataView(whole.buffer);
    view.setBigUint64(0, BigInt(parts.length + 1), true);
    parts.forEach((part, index) => {
      view.setBigUint64(8 * (index + 1), BigInt(end), true);
      whole.set(part, end);
      end += part.byteLength;
    });
    view.setBigUint64(8 * (parts.length + 1), BigInt(end), true);
    return whole.buffer;
  };
  const unpack = (data) => {
    const view = new DataView(data);
    const count = Number(view.getBigUint64(0, true));
    const at = Array.from({ length: count }, (_, n) => Number(view.getBigUint64(8 * (n + 1), true)));
    const part = (n) => new Uint8Array(data, at[n], at[n + 1] - at[n]);
    const read = (n) => JSON.parse(decoder.decode(part(n)));
    return {
      header: read(1), parent_header: read(2), metadata: read(3), content: read(4),
      // Copies: bqplot takes all of the memory that a view is of.
      buffers: at.slice(5, -1).map((start, n) => new DataView(data.slice(start, at[n + 6]))),
    };
  };

  class Kernel {
    constructor(id) {
      this.id = id;
      this.session = uuid();
      this.waiting = [];
      this.callbacks = new Map();
      this.attempts = 0;
      this.onmessage = () => {};
      this.onback = () => {};
      this.connect();
    }

    connect() {
      // Below the page's own address, as all that is asked for: a proxy may have added a prefix.
      const address = new URL(`api/kernels/${this.id}/channels`, document.baseURI);
      address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
      address.searchParams.set("session_id", this.session);
      this.socket = new WebSocket(address, [PROTOCOL]);
      this.socket.binaryType = "arraybuffer";
      const { socket } = this;
      setTimeout(() => socket.readyState === WebSocket.CONNECTING && this.isGone(), RECONNECTING);
      this.socket.onopen = () => {
        if (this.leaving) {
          socket.close();
          return;
        }
        clearTimeout(this.alarm);
        this.alarm = undefined;
        quiet();
        this.waiting.splice(0).forEach((packed) => this.socket.send(packed));
        if (this.attempts) this.onback();
        this.attempts = 0;
      };
      this.socket.onmessage = ({ data }) => this.receive(unpack(data));
      this.socket.onclose = async () => {
        if (this.leaving) return;
        this.alarm ??= setTimeout(() => notice(SILENT), RECONNECTING);
        // A socket does not tell why it was refused.
        if (await this.isGone()) return;
        setTimeout(() => this.connect(), Math.min(LONGEST_WAIT, 250 * 2 ** this.attempts));
        this.attempts += 1;
      };
    }

    // Asks whether the kernel is there; where it is not, or nobody is known any more, does what helps.
    async isGone() {
      const answer = await fetch(`usage/here/${this.id}`, { cache: "no-store" }).catch(() => null);
      if (this.leaving) return true;
      if (!answer || answer.ok || answer.status >= 500) return false;
      clearTimeout(this.alarm);
      this.leaving = true;
      this.socket.close();
      if (answer.status === 404) resume();
      else notice(ENDED);
      return true;
    }

    receive(message) {
      const { msg_type: type } = message.header;
      if (type === "status") {
        const state = message.content.execution_state;
        if (state === "dead") this.isGone();
        const id = message.parent_header.msg_id;
        this.callbacks.get(id)?.iopub?.status?.(message);
        if (state === "idle") this.callbacks.delete(id);
      } else if (type.startsWith("comm_")) {
        this.onmessage(message);
      }
    }

    send(type, content, { callbacks, metadata = {}, buffers = [] } = {}) {
      const id = uuid();
      const header = {
        msg_id: id, msg_type: type, session: this.session, username: "", version: "5.3",
        date: new Date().toISOString(),
      };
      if (callbacks) this.callbacks.set(id, callbacks);
      const packed = pack("shell", { header, parent_header: {}, metadata, content }, buffers);
      if (this.socket.readyState === WebSocket.OPEN) this.socket.send(packed);
      else this.waiting.push(packed);
      return id;
    }

    leave() {
      this.leaving = true;
      const form = new FormData();
      form.append("_xsrf", document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1] ?? "");
      navigator.sendBeacon(`voila/api/shutdown/${this.id}`, form);
    }
  }

  // What ipywidgets calls a comm: one widget's line to its other half in the kernel.
  class Comm {
    constructor(kernel, id) {
      this.kernel = kernel;
      this.comm_id = id;
      this.target_name = "jupyter.widget";
    }
    send(data, callbacks, metadata, buffers) {
      return this.kernel.send("comm_msg", { comm_id: this.comm_id, data }, { callbacks, metadata, buffers });
    }
    close() {
      return this.kernel.send("comm_close", { comm_id: this.comm_id, data: {} });
    }
    on_msg(handle) {
      this.handle = handle;
    }
    on_close(handle) {
      this.closed = handle;
    }
  }

  // --- boxes and parts ------------------------------------------------------------------------
  // A model as anywidget's modules know it.
  class Part {
    constructor(state, comm) {
      this.state = state;
      this.comm = comm;
      this.listeners = new Map();
      this.changed = new Set();
      this.model_id = comm.comm_id;
      comm.on_msg((message) => this.told(message));
    }
    get(name) {
      return this.state[name];
    }
    set(name, value) {
      if (this.state[name] === value) return;
      this.state[name] = value;
      this.changed.add(name);
      this.tell([name]);
    }
    save_changes() {
      const state = Object.fromEntries([...this.changed].map((name) => [name, this.state[name]]));
      this.changed.clear();
      this.comm.send({ method: "update", state, buffer_paths: [] });
    }
    send(content, _callbacks, buffers) {
      this.comm.send({ method: "custom", content }, undefined, {}, buffers);
    }
    on(names, handle) {
      for (const name of names.split(" ")) {
        this.listeners.set(name, [...(this.listeners.get(name) ?? []), handle]);
      }
    }
    off(name, handle) {
      if (!name) this.listeners.clear();
      else this.listeners.set(name, (this.listeners.get(name) ?? []).filter((h) => handle && h !== handle));
    }
    say(name, ...told) {
      for (const handle of this.listeners.get(name) ?? []) handle(...told);
    }
    tell(names) {
      for (const name of names) this.say(`change:${name}`, this.state[name]);
      if (names.length) this.say("change");
    }
    told({ content: { data }, buffers }) {
      if (data.method === "custom") this.say("msg:custom", data.content, buffers ?? []);
      if (data.method !== "update") return;
      const news = Object.keys(data.state).filter(
        (name) => JSON.stringify(this.state[name]) !== JSON.stringify(data.state[name]),
      );
      Object.assign(this.state, data.state);
      this.tell(news);
    }
  }

  const modules = new Map();
  const moduleOf = (address) => {
    if (!modules.has(address)) modules.set(address, import(new URL(address, document.baseURI)));
    return modules.get(address);
  };

  class Manager {
    constructor(kernel, libraries) {
      this.kernel = kernel;
      this.libraries = libraries;
      this.comms = new Map();
      this.slots = new Map();
      this.figures = new Set();
      this.drawing = Promise.resolve();
      kernel.onmessage = (message) => this.receive(message);
    }

    // A place for a model that may not have been heard of yet: widgets refer to one another.
    slot(id) {
      if (!this.slots.has(id)) {
        const slot = {};
        slot.promise = new Promise((resolve) => (slot.fill = resolve));
        this.slots.set(id, slot);
      }
      return this.slots.get(id);
    }

    get_model(id) {
      const slot = this.slot(id);
      if (!slot.model && !this.comms.has(id)) {
        // Perhaps it only comes a message later; else it was missed, and is asked for.
        setTimeout(() => {
          if (!this.comms.has(id) && !slot.asked) {
            slot.asked = true;
            this.kernel.send("comm_msg", { comm_id: id, data: { method: "request_state" } });
          }
        }, 300);
      }
      return slot.promise;
    }

    receive(message) {
      const { comm_id: id, data } = message.content;
      const type = message.header.msg_type;
      if (type === "comm_open") this.open(id, data, message.buffers);
      else if (type === "comm_msg") {
        const comm = this.comms.get(id);
        if (comm) {
          // Not before the model is there to hear it, and not while bqplot is making views of it.
          if (this.slot(id).model instanceof Part) comm.handle(message);
          else this.slot(id).promise.then(() => this.drawing).then(() => comm.handle?.(message));
        } else if (data.state?._model_name) this.open(id, data, message.buffers);
      } else if (type === "comm_close") {
        this.comms.get(id)?.closed?.(message);
        this.comms.delete(id);
        this.slots.delete(id);
      }
    }

    open(id, { state, buffer_paths: paths = [] }, buffers) {
      if (this.comms.has(id)) return;
      const comm = new Comm(this.kernel, id);
      this.comms.set(id, comm);
      const slot = this.slot(id);
      const own = state._model_module === "anywidget" || state._model_name === "BoxModel";
      if (own) slot.fill((slot.model = new Part(state, comm)));
      else slot.fill(this.figurePart(id, state, paths, buffers, comm));
    }

    async figurePart(id, state, paths, buffers, comm) {
      const { base, classes } = await this.libraries;
      base.put_buffers(state, paths, buffers);
      const Model = classes[state._model_module]?.[state._model_name];
      if (!Model) throw new Error(`no ${state._model_name} of ${state._model_module}`);
      const attributes = await Model._deserialize_state(state, this);
      const model = new Model(attributes, { widget_manager: this, model_id: id, comm });
      model.name = state._model_name;
      model.module = state._model_module;
      this.slot(id).model = model;
      return model;
    }

    // What models and views of ipywidgets' base classes ask of their manager.
    callbacks() {
      return {};
    }
    inline_sanitize(text) {
      return text;
    }
    resolveUrl(url) {
      return Promise.resolve(url);
    }
    setViewOptions(options = {}) {
      return options;
    }
    create_view(model, options = {}) {
      const made = (model.state_change = model.state_change.then(async () => {
        const { classes } = await this.libraries;
        const View = classes[model.get("_view_module")][model.get("_view_name")];
        const view = new View({ model, options });
        view.listenTo(model, "destroy", view.remove);
        await view.render();
        return view;
      }));
      const id = uuid();
      if (model.views) {
        model.views[id] = made;
        made.then((view) => view.once("remove", () => delete model.views[id]));
      }
      return made;
    }

    // The element of a widget; in `place`, which is in the document, because figures need a size.
    async show(id, place, before = null) {
      const model = await this.get_model(id);
      if (model instanceof Part) {
        const el = document.createElement("div");
        place.insertBefore(el, before);
        if (model.get("_model_name") === "BoxModel") await this.showBox(model, el);
        else await this.showPart(model, el);
        return el;
      }
      const { lumino } = await this.libraries;
      const view = await this.create_view(model);
      lumino.Widget.attach(view.luminoWidget, place);
      this.drawing = Promise.all([this.drawing, this.drawn(view)]);
      this.figures.add(view.luminoWidget);
      view.once("remove", () => this.figures.delete(view.luminoWidget));
      return view.el;
    }

    // Figures go on drawing after they are said to be rendered.
    async drawn(view) {
      const soon = performance.now() + 1_000;
      while (!view.el.querySelector(".line, .bar, .slice") && performance.now() < soon) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }

    async showPart(model, el) {
      const part = (await moduleOf(model.get("_esm"))).default;
      const forget = await part.render({ model, el });
      model.comm.on_close(() => {
        forget?.();
        model.off();
        el.remove();
      });
    }

    async showBox(model, el) {
      let shown = new Map();
      const classes = () => {
        el.className = model.get("_dom_classes").join(" ");
      };
      const children = async () => {
        const ids = model.get("children").map((child) => child.replace("IPY_MODEL_", ""));
        for (const [id, child] of shown) {
          if (!ids.includes(id)) child.then((gone) => gone.remove());
        }
        shown = new Map(ids.map((id) => [id, shown.get(id) ?? this.show(id, el)]));
        // Figures come late and lie over their frame; the others stand in the order of the list.
        const elements = await Promise.all(shown.values());
        elements.forEach((child, n) => {
          if (n && elements[n - 1].nextSibling !== child) elements[n - 1].after(child);
        });
      };
      model.on("change:_dom_classes", classes);
      model.on("change:children", children);
      model.comm.on_close(() => el.remove());
      classes();
      await children();
    }
  }

  // --- libraries ------------------------------------------------------------------------------
  // What is painted comes on the screen first: running libraries takes longer than all that it needs,
  // and a kernel takes processors from the browser where they share a machine. Where nobody looks,
  // nothing is painted.
  const onScreen = new Promise((resolve) => {
    if (document.hidden) resolve();
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, LONGEST_UNPAINTED);
  });

  // In their order, though all are asked for at once: they have been preloaded.
  const run = (address) => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: address, async: false, onload: resolve, onerror: reject });
    document.head.append(script);
  });

  // Modules are shared between webpack's builds as in JupyterLab: the host offers, extensions add.
  const load = async () => {
    await Promise.all(config.libraries.map(run));
    const host = self.usageHost;
    await host.I("default");
    const shared = host.S.default;
    await Promise.all(
      Object.values(self._JUPYTERLAB).filter((container) => container.init)
        .map((container) => container.init(shared)),
    );
    // For its style sheet, which comes with what JupyterLab would start.
    const styled = self._JUPYTERLAB.bqplot.get("./extension").then((module) => module());
    const get = async (name) => {
      const [newest] = Object.keys(shared[name]).slice(-1);
      return (await shared[name][newest].get())();
    };
    const [base, bqplot, bqscales, lumino, messaging] = await Promise.all(
      ["@jupyter-widgets/base", "bqplot", "bqscales", "@lumino/widgets", "@lumino/messaging"].map(get),
    );
    await styled;
    return { base, lumino, messaging, classes: { "@jupyter-widgets/base": base, bqplot, bqscales } };
  };

  // bqplot leaves figures outside the window as they were when the window's size changes, and draws
  // them anew before the eyes of whoever scrolls there, or not at all on paper.
  window.IntersectionObserver = class extends IntersectionObserver {
    constructor(callback, options) {
      super(callback, { rootMargin: "20000px 0px", ...options });
    }
  };

  // --- taking over ----------------------------------------------------------------------------
  const isDrawn = (page) => {
    if (page.getAttribute("aria-busy") !== "false") return false;
    if (page.matches(".has-nothing")) return true;
    const panels = [...page.querySelectorAll(".tabpanel.is-selected .panel")];
    return panels.length > 0 && panels.every(
      (panel) => panel.matches(".is-empty") || (panel.querySelector(".panel-plot.fits") && panel.querySelector(MARKS)),
    );
  };

  // Whoever waits for it is next, also where this page will never be live.
  const sayLive = () => {
    fetch(config.live, { keepalive: true }).catch(() => {});
  };

  let slow;
  const beSlow = () => {
    clearTimeout(slow);
    slow = setTimeout(() => {
      notice("This is taking unusually long. Reloading the page may help.");
    }, SLOW_START);
  };

  const start = async () => {
    await onScreen;
    // Where the server is busy it answers when it is this page's turn: until then, nothing more is run.
    const early = config.isBusy ? null : load();
    const answer = await fetch(config.opening);
    beSlow();
    const { kernel: id, root, messages, problem } = await answer.json();
    if (problem === "gone") return location.reload();
    if (problem === "unavailable") setTimeout(resume, AGAIN);
    if (problem in PROBLEMS) {
      clearTimeout(slow);
      return notice(PROBLEMS[problem]);
    }
    if (problem) return failed();
    const libraries = early ?? load();
    const kernel = new Kernel(id);
    // Whoever goes on looking goes on being known.
    setInterval(() => kernel.isGone(), config.stayingSeconds * 1000);
    // A phone that was woken up finds out by itself only after a while.
    document.addEventListener("visibilitychange", () => document.hidden || kernel.isGone());
    addEventListener("pagehide", () => {
      sayLive();
      kernel.leave();
    });
    const manager = new Manager(kernel, libraries);
    for (const { type, content, buffers } of messages) {
      const bytes = buffers.map((text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
      manager.receive({ header: { msg_type: type }, parent_header: {}, content, buffers: bytes });
    }
    const main = document.getElementById("rendered_cells");
    // Where nothing is drawn, nothing else would tell that there is nothing to draw with.
    libraries.catch(() => kernel.leave());
    await Promise.all([libraries, manager.show(root, main)]);
    // Where nobody looks nothing is drawn, and somebody who does may be waiting.
    if (document.hidden) sayLive();
    const page = main.firstElementChild;
    const repeat = async () => {
      for (const slot of manager.slots.values()) {
        if (slot.model instanceof Part && slot.model.get("presets")) slot.model.send({ ask: "repeat" });
      }
    };
    kernel.onback = repeat;
    // The kernel began before anybody listened: what it has said since is said again.
    if (page.getAttribute("aria-busy") !== "false") repeat();

    let timer;
    addEventListener("resize", () => {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const { lumino, messaging } = await libraries;
        for (const figure of manager.figures) {
          messaging.MessageLoop.postMessage(figure, lumino.Widget.ResizeMessage.UnknownSize);
        }
      }, 50);
    });

    await new Promise((resolve) => {
      const look = () => (isDrawn(page) ? resolve() : requestAnimationFrame(look));
      look();
    });
    for (const painted of document.querySelectorAll(".usage-painted, .usage-skeleton")) painted.remove();
    main.classList.remove("is-coming");
    document.getElementById("usage-status").textContent = "";
    clearTimeout(slow);
    quiet();
    sayLive();
  };

  beSlow();
  // A page that comes back from the browser's cache has lost its kernel when it was left.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  start().catch((error) => {
    clearTimeout(slow);
    sayLive();
    console.error(error);
    failed();
  });
})();
