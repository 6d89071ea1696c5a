// The tabs, after the ARIA Authoring Practices' pattern: one stop for the Tab key, arrows move.

export default {
  render({ model, el }) {
    el.classList.add("usage-part");
    const list = document.createElement("div");
    list.className = "tabs";
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", "What to look at");
    const keys = model.get("tabs").map(([key]) => key);

    const buttons = model.get("tabs").map(([key, label]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.id = `tab-${key}`;
      button.setAttribute("role", "tab");
      button.setAttribute("aria-controls", `panel-${key}`);
      const text = document.createElement("span");
      text.className = "label";
      text.dataset.text = label;
      text.textContent = label;
      button.append(text);
      button.addEventListener("click", () => select(key));
      return button;
    });
    list.append(...buttons);
    el.append(list);

    const select = (key) => {
      model.set("selected", key);
      model.save_changes();
    };
    list.addEventListener("keydown", (event) => {
      const now = keys.indexOf(model.get("selected"));
      const next = {
        ArrowRight: (now + 1) % keys.length,
        ArrowLeft: (now + keys.length - 1) % keys.length,
        Home: 0,
        End: keys.length - 1,
      }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      select(keys[next]);
      buttons[next].focus();
    });

    const show = () => {
      const selected = model.get("selected");
      buttons.forEach((button, index) => {
        const chosen = keys[index] === selected;
        button.setAttribute("aria-selected", String(chosen));
        button.tabIndex = chosen ? 0 : -1;
        if (chosen && list.scrollWidth > list.clientWidth) {
          list.scrollTo({
            left: button.offsetLeft - (list.clientWidth - button.offsetWidth) / 2,
            behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth",
          });
        }
      });
      // The panels are boxes made by the kernel, which knows nothing of roles.
      for (const key of keys) {
        const panel = el.closest(".usage-page")?.querySelector(`.tabpanel-${key}`);
        if (!panel) continue;
        panel.id = `panel-${key}`;
        panel.setAttribute("role", "tabpanel");
        panel.setAttribute("aria-labelledby", `tab-${key}`);
        panel.classList.toggle("is-selected", key === selected);
      }
    };
    model.on("change:selected", show);
    show();

    // The panels may join the page after the tabs did.
    const arriving = new MutationObserver(show);
    const settle = requestAnimationFrame(() => {
      show();
      const page = el.closest(".usage-page");
      if (page) arriving.observe(page, { childList: true });
    });
    return () => {
      cancelAnimationFrame(settle);
      arriving.disconnect();
    };
  },
};
