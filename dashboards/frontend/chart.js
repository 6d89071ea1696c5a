// What surrounds a figure: its title and sentence, its legend, its numbers as a table, and a layer
// over it that tells all series at one position, by pointer or by keyboard. Positions are shares of
// the plot's width or height, so that they stay right while the window changes.

const make = (tag, name, text) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text != null) made.textContent = text;
  return made;
};
const role = (node, name) => {
  node.style.setProperty("--role", `var(--${name})`);
  return node;
};

const tableOf = ({ columns, rows }, caption) => {
  const table = make("table");
  table.append(make("caption", "visually-hidden", caption));
  const head = table.createTHead().insertRow();
  for (const column of columns) {
    const cell = make("th", "", column);
    cell.scope = "col";
    head.append(cell);
  }
  const body = table.createTBody();
  for (const [name, ...values] of rows) {
    const row = body.insertRow();
    const cell = make("th", "", name);
    cell.scope = "row";
    row.append(cell, ...values.map((value) => make("td", "", value)));
  }
  return table;
};

export default {
  render({ model, el }) {
    el.classList.add("usage-part");
    const id = `chart-${model.get("chart").key}`;
    const head = make("div", "panel-head");
    const title = make("h3");
    title.id = id;
    const summary = make("p", "summary");
    const legend = make("ul", "legend");
    const button = make("button", "button small table-button", "Table");
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    head.append(title, legend, button, summary);

    const plot = make("div", "panel-plot");
    const layer = make("div", "layer");
    layer.tabIndex = 0;
    layer.setAttribute("role", "slider");
    layer.setAttribute("aria-labelledby", id);
    const marker = make("div", "crosshair");
    const dots = make("div");
    const tooltip = make("div", "tooltip");
    plot.append(layer, tooltip);
    layer.append(marker, dots);
    const empty = make("p", "panel-empty");
    const table = make("div", "panel-table");
    table.tabIndex = 0;
    table.setAttribute("role", "region");
    table.setAttribute("aria-labelledby", id);
    table.hidden = true;
    el.append(head, plot, empty, table);

    let told = 0;
    let at = null;
    const hide = () => {
      at = null;
      marker.hidden = true;
      tooltip.hidden = true;
      dots.replaceChildren();
    };

    const tell = (index) => {
      const chart = model.get("chart");
      const { left, top } = model.get("plot");
      at = index;
      const across = layer.clientWidth;
      const down = layer.clientHeight;
      const upright = chart.along === "x";
      const along = chart.at[index];
      marker.hidden = false;
      marker.className = `crosshair ${upright ? "upright" : "row"}`;
      const half = chart.at.length ? down / chart.at.length / 2 : 0;
      marker.style.cssText = upright
        ? `left:${along * across}px;top:0;height:${down}px`
        : `left:${-left}px;right:${-model.get("plot").right}px;` +
          `top:${along * down - half}px;height:${2 * half}px`;
      dots.replaceChildren(
        ...chart.series.flatMap((series) => {
          const height = series.heights?.[index];
          if (height == null) return [];
          const dot = role(make("div", "dot"), series.role);
          dot.style.left = `${along * across}px`;
          dot.style.top = `${(1 - height) * down}px`;
          return [dot];
        }),
      );
      const values = make("dl");
      for (const series of chart.series) {
        if (series.texts[index] == null) continue;
        values.append(
          role(make("dt", "", series.label), series.role),
          make("dd", "", series.texts[index]),
        );
      }
      tooltip.replaceChildren(make("strong", "", chart.labels[index]), values);
      tooltip.hidden = false;
      // Beside the position, on the side where there is room.
      const x = upright ? left + along * across : left + across / 2;
      const room = plot.clientWidth - tooltip.offsetWidth;
      const beside = upright && x + 14 > room ? x - tooltip.offsetWidth - 14 : x + 14;
      tooltip.style.left = `${Math.max(0, Math.min(room, beside))}px`;
      tooltip.style.top = upright ? `${top + 4}px` : `${top + along * down + half + 2}px`;
      layer.setAttribute("aria-valuenow", String(index));
      layer.setAttribute(
        "aria-valuetext",
        `${chart.labels[index]}: ` +
          chart.series.filter((series) => series.texts[index] != null)
            .map((series) => `${series.label} ${series.texts[index]}`)
            .join(", "),
      );
    };

    const nearest = (event) => {
      const chart = model.get("chart");
      if (!chart.at.length) return;
      const box = layer.getBoundingClientRect();
      const share = chart.along === "x"
        ? (event.clientX - box.left) / box.width
        : (event.clientY - box.top) / box.height;
      let best = 0;
      chart.at.forEach((position, index) => {
        if (Math.abs(position - share) < Math.abs(chart.at[best] - share)) best = index;
      });
      if (best !== at) tell(best);
    };
    layer.addEventListener("pointermove", nearest);
    layer.addEventListener("pointerdown", nearest);
    layer.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && !layer.matches(":focus-visible")) hide();
    });
    layer.addEventListener("blur", hide);
    layer.addEventListener("focus", () => {
      const { at: positions } = model.get("chart");
      if (at === null && positions.length && layer.matches(":focus-visible")) tell(0);
    });
    layer.addEventListener("keydown", (event) => {
      const end = model.get("chart").at.length - 1;
      if (end < 0) return;
      const next = {
        ArrowRight: (at ?? -1) + 1, ArrowDown: (at ?? -1) + 1,
        ArrowLeft: (at ?? 1) - 1, ArrowUp: (at ?? 1) - 1,
        PageDown: (at ?? 0) + 7, PageUp: (at ?? 0) - 7, Home: 0, End: end,
      }[event.key];
      if (event.key === "Escape") hide();
      if (next === undefined) return;
      event.preventDefault();
      tell(Math.max(0, Math.min(end, next)));
    });

    button.addEventListener("click", () => {
      table.hidden = !table.hidden;
      button.setAttribute("aria-expanded", String(!table.hidden));
      fill();
    });
    const fill = () => {
      const chart = model.get("chart");
      table.replaceChildren(...(table.hidden ? [] : [tableOf(chart.table, chart.title)]));
    };

    const show = () => {
      const chart = model.get("chart");
      title.textContent = chart.title;
      summary.textContent = chart.summary;
      legend.replaceChildren(
        ...chart.legend.map(([label, name, dashed]) =>
          role(make("li", dashed ? "dashed" : "", label), name)),
      );
      legend.hidden = !chart.legend.length;
      button.setAttribute("aria-label", `${chart.title} as a table`);
      button.hidden = Boolean(chart.empty);
      empty.hidden = !chart.empty;
      empty.textContent = chart.empty ?? "";
      layer.hidden = Boolean(chart.empty);
      layer.setAttribute("aria-valuemin", "0");
      layer.setAttribute("aria-valuemax", String(Math.max(0, chart.at.length - 1)));
      if (chart.empty) {
        table.hidden = true;
        button.setAttribute("aria-expanded", "false");
      }
      hide();
      fill();
      place();
    };
    const place = () => {
      const { left, right, top, bottom, height, ready, width } = model.get("plot");
      plot.style.height = `${height}px`;
      empty.style.minHeight = `${Math.min(height, 180)}px`;
      plot.classList.toggle("pulse", !ready && !model.get("chart").empty);
      plot.classList.toggle("waiting", !ready);
      plot.classList.toggle("fits", ready && width === told);
      plot.hidden = Boolean(model.get("chart").empty);
      layer.style.inset = `${top}px ${right}px ${bottom}px ${left}px`;
    };
    model.on("change:chart", show);
    model.on("change:plot", () => {
      hide();
      place();
    });
    show();

    // The kernel chooses ticks and margins for the width there is; while a window is being dragged
    // it is asked once, at the end.
    let timer;
    const report = () => {
      const width = Math.round(head.getBoundingClientRect().width);
      const shown = model.get("plot");
      const waits = !shown.ready && !model.get("chart").empty;
      if (!width || (width === told && !waits)) return;
      // A message, not a trait: traits wait for the answer to the last one, which may be lost where
      // the connection was made anew. For the same reason it is said again until there is a figure.
      told = width;
      place();
      if (shown.ready && shown.width === width) return;
      model.send({ width });
      if (waits) timer = setTimeout(report, 5_000);
    };
    const observer = new ResizeObserver(() => {
      clearTimeout(timer);
      timer = setTimeout(report, told ? 120 : 0);
    });
    observer.observe(head);
    return () => {
      clearTimeout(timer);
      observer.disconnect();
    };
  },
};
