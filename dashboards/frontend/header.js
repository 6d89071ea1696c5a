// The bar on top and what concerns the whole page: dates, comparison, zone, refreshing, downloads,
// the address in the browser's bar, and what to say when the numbers could not be loaded.

const REFRESHES = [[0, "Off"], [30, "30 s"], [60, "1 min"], [300, "5 min"]];
// Years that nobody has usage in are slips of the keyboard: a date field takes up to six digits.
// From the first to the last they are a hundred years, which is as many as can be asked for.
const EARLIEST = "2000-01-01";
const LATEST = "2099-12-31";
// A kernel says sooner that it has no answer: then it has not been asked.
const UNHEARD = 25_000;
const AGAIN =
  '<svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.6" ' +
  'stroke-linecap="round" aria-hidden="true"><path d="M13.5 8A5.5 5.5 0 1 1 11.7 3.9M12 1v3.2H8.8"/></svg>';

const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
};

const ago = (seconds) => {
  if (seconds < 10) return "just now";
  // In tens: a word that changes each second draws eyes, and the page anew.
  if (seconds < 90) return `${10 * Math.floor(seconds / 10)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
};

// A button and what it opens; closed by Escape, by a click elsewhere and by the focus leaving.
const popover = (name, button, body) => {
  const root = element("div", { class: `pop ${name}` }, button, body);
  const show = (open) => {
    body.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
  };
  show(false);
  button.setAttribute("aria-haspopup", "true");
  button.addEventListener("click", () => show(body.hidden));
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || body.hidden) return;
    show(false);
    button.focus();
  });
  root.addEventListener("focusout", (event) => {
    if (!root.contains(event.relatedTarget) && event.relatedTarget) show(false);
  });
  const outside = (event) => root.contains(event.target) || show(false);
  document.addEventListener("pointerdown", outside);
  return { root, show, forget: () => document.removeEventListener("pointerdown", outside) };
};

const save = ({ name, mime }, [content]) => {
  const url = URL.createObjectURL(new Blob([content], { type: mime }));
  const link = element("a", { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
};

// Parameters that are not ours, such as the token of the link, stay as they are.
const writeAddress = (address) => {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(address)) {
    if (value == null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  if (url.href !== location.href) history.replaceState(history.state, "", url);
};

export default {
  render({ model, el }) {
    el.classList.add("usage-part");
    const get = (name) => model.get(name);
    // Busy from the moment something is asked, which is seen only where it takes long.
    let isAsking = false;
    let unheard;
    const ask = () => {
      isAsking = true;
      clearTimeout(unheard);
      unheard = setTimeout(() => model.send({ ask: "repeat" }), UNHEARD);
      busy();
    };
    const isAnswered = () => {
      isAsking = false;
      clearTimeout(unheard);
      busy();
    };
    const busy = () => {
      el.closest(".usage-page")?.setAttribute("aria-busy", String(isAsking || get("loading")));
    };
    const put = (name, value) => {
      if (get(name) === value) return;
      if (name !== "refresh") ask();
      model.set(name, value);
      model.save_changes();
    };
    const refetch = () => {
      ask();
      model.send({ ask: "refetch" });
    };

    const who = element("span", { class: "who" });
    const presets = get("presets").map(([key, label]) =>
      element("button", { type: "button", "data-period": key, onclick: () => put("period", key) }, label),
    );

    const bounds = { type: "date", required: true, min: EARLIEST, max: LATEST };
    const first = element("input", { ...bounds, name: "first" });
    const last = element("input", { ...bounds, name: "last" });
    const wrong = element("p", { class: "wrong", role: "alert", hidden: true });
    const custom = element("button", { type: "button", "data-period": "custom" }, "Custom…");
    const dates = element(
      "form",
      {
        class: "pop-body dates", "aria-label": "Custom dates", novalidate: true,
        onsubmit: (event) => {
          event.preventDefault();
          wrong.textContent = !first.value || !last.value
            ? "Choose both a first and a last day."
            : !first.validity.valid || !last.validity.valid
              ? "Choose days from 2000 to 2099."
              : last.value < first.value ? "The last day lies before the first." : "";
          wrong.hidden = !wrong.textContent;
          if (wrong.textContent) return;
          picker.show(false);
          custom.focus();
          put("period", `${first.value}..${last.value}`);
        },
      },
      element("label", {}, "From", first),
      element("label", {}, "To", last),
      wrong,
      element("button", { type: "submit", class: "button primary" }, "Show these days"),
    );
    const picker = popover("custom", custom, dates);
    const segments = element(
      "div", { class: "segments", role: "group", "aria-label": "Which days" }, ...presets, picker.root,
    );

    const compare = element("input", {
      type: "checkbox", role: "switch", onchange: () => put("compare", compare.checked),
    });
    const menu = element("div", { class: "pop-body menu" });
    const exporter = popover(
      "export", element("button", { type: "button", class: "button" }, "Export"), menu,
    );
    for (const [what, label, about] of [
      ["tab", "This tab", "CSV: its numbers, one a row"],
      ["daily", "Day by day", "CSV: one row a day"],
      ["json", "Everything, for programs", "JSON"],
      ["xlsx", "Everything, for spreadsheets", "XLSX"],
    ]) {
      menu.append(
        element(
          "button",
          {
            type: "button", "data-download": what,
            onclick: () => {
              exporter.show(false);
              model.send({ ask: "download", what });
            },
          },
          label, element("small", {}, about),
        ),
      );
    }

    const again = element(
      "button",
      {
        type: "button", class: "icon again", "aria-label": "Refresh now", title: "Refresh now",
        onclick: refetch,
      },
    );
    again.innerHTML = AGAIN;
    const refresh = element(
      "select",
      {
        class: "plain-select", "aria-label": "Refresh automatically", title: "Refresh automatically",
        onchange: () => put("refresh", Number(refresh.value)),
      },
      ...REFRESHES.map(([seconds, label]) =>
        element("option", { value: seconds }, seconds ? `every ${label}` : "auto off"),
      ),
    );
    const when = element("span");
    const word = element("span", { class: "word" }, "Updated ");
    const updated = element("span", { class: "updated" }, word, when);
    const freshness = element("div", { class: "freshness" }, updated, again, refresh);

    const zone = element("select", {
      class: "plain-select zone", "aria-label": "Time zone", onchange: () => put("zone", zone.value),
    });
    const range = element("strong", { class: "range" });
    const against = element("span", { class: "against" });
    const which = element("div", { class: "which" }, range, " · ", zone, " ", against);

    const bannerText = element("p");
    const banner = element(
      "div", { class: "banner", role: "alert", hidden: true }, bannerText,
      element("button", { type: "button", class: "button retry", onclick: refetch }, "Retry"),
    );
    const problemTitle = element("h2", {}, "The numbers could not be loaded");
    const problemText = element("p");
    const problem = element(
      "div", { class: "problem", role: "alert", hidden: true }, problemTitle, problemText,
      element("button", { type: "button", class: "button retry", onclick: refetch }, "Retry"),
    );
    const spoken = element("p", { class: "visually-hidden", role: "status" });

    el.append(
      element(
        "header", { class: "top" },
        element(
          "div", { class: "top-row" },
          element("div", { class: "brand" }, element("h1", {}, "Usage"), who),
          segments,
          element("label", { class: "switch" }, compare, "Compare"),
          exporter.root,
          freshness,
        ),
      ),
      element("div", { class: "usage-width" }, which, banner, problem),
      spoken,
    );

    let since = performance.now();
    const tick = () => {
      word.hidden = !get("updated");
      const told = get("updated")
        ? ago((performance.now() - since) / 1000)
        : get("loading") ? "Loading…" : "";
      if (when.textContent !== told) when.textContent = told;
    };
    const timer = setInterval(tick, 1000);

    const zones = () => {
      const chosen = get("zone");
      const own = get("own_zone");
      const known = Intl.supportedValuesOf?.("timeZone") ?? [];
      const names = [...new Set(["UTC", ...known, own, ...(chosen ? [chosen] : [])])].filter(Boolean);
      zone.replaceChildren(
        element("option", { value: "" }, own),
        ...names.filter((name) => name !== own).sort()
          .map((name) => element("option", { value: name }, name)),
      );
      zone.value = chosen === own ? "" : chosen;
    };

    const show = () => {
      const period = get("period");
      const isPreset = presets.some((button) => button.dataset.period === period);
      for (const button of presets) {
        button.setAttribute("aria-pressed", String(button.dataset.period === period));
      }
      custom.setAttribute("aria-pressed", String(!isPreset));
      who.textContent = get("who");
      who.title = get("who");
      compare.checked = get("compare");
      refresh.value = String(get("refresh"));
      range.textContent = get("range_text");
      which.style.visibility = get("range_text") ? "" : "hidden";
      against.textContent = get("against_text");
      if (dates.hidden) {
        first.value = get("first");
        last.value = get("last");
      }
      const error = get("error");
      const hasNumbers = Boolean(get("updated"));
      banner.hidden = !(error && hasNumbers);
      bannerText.textContent = error && `${error} What you see is from ${get("as_of")}.`;
      problem.hidden = !(error && !hasNumbers);
      problemText.textContent = error;
      const page = el.closest(".usage-page");
      page?.classList.toggle("is-loading", get("loading"));
      page?.classList.toggle("is-old", Boolean(error && hasNumbers));
      page?.classList.toggle("has-nothing", Boolean(error && !hasNumbers));
      busy();
      tick();
    };

    model.on("change:attempts", isAnswered);
    model.on("change:updated", () => {
      since = performance.now();
      spoken.textContent = `Numbers for ${get("range_text")} are shown.`;
    });
    model.on("change", show);
    model.on("change:zone change:own_zone", zones);
    model.on("change:address", () => writeAddress(get("address")));
    model.on("msg:custom", (message, buffers) => {
      if (message.save) save(message.save, buffers);
      // What is shown now is what the kernel was asked for, whatever was lost on the way.
      if (message.repeated) isAnswered();
    });
    zones();
    show();
    writeAddress(get("address"));
    // The page around this part may be put together only after it.
    requestAnimationFrame(show);

    return () => {
      clearInterval(timer);
      clearTimeout(unheard);
      picker.forget();
      exporter.forget();
    };
  },
};
