// Cards: one number each, with its change, one line of context and a small line of its own.

const make = (tag, name, text) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text != null) made.textContent = text;
  return made;
};

const SVG = "http://www.w3.org/2000/svg";

// A line without axes says how it went, not how much; it is hidden from screen readers.
const spark = (values, role) => {
  const known = values.filter((value) => value != null);
  if (known.length < 2) return null;
  const low = Math.min(0, ...known);
  const high = Math.max(...known);
  const span = high - low || 1;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 100 34");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const points = values
    .map((value, index) => [index, value])
    .filter(([, value]) => value != null)
    .map(([index, value]) => [
      (100 * index) / (values.length - 1), 32 - (28 * (value - low)) / span,
    ]);
  const line = points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join("L");
  const area = document.createElementNS(SVG, "path");
  area.setAttribute("d", `M${points[0][0]},34L${line}L${points.at(-1)[0]},34Z`);
  area.setAttribute("style", `fill: var(--${role}); opacity: 0.13`);
  const stroke = document.createElementNS(SVG, "path");
  stroke.setAttribute("d", `M${line}`);
  stroke.setAttribute("vector-effect", "non-scaling-stroke");
  stroke.setAttribute("style", `fill: none; stroke: var(--${role}); stroke-width: 1.5px`);
  svg.append(area, stroke);
  return svg;
};

const filled = (card) => {
  const article = make("article", "card");
  article.dataset.key = card.key;
  article.dataset.value = card.exact ?? "";
  const figures = make("div", "figures");
  figures.append(make("span", "value", card.value));
  article.append(make("h3", "", card.label), figures);
  if (card.change) {
    const { percent, difference, before, tone } = card.change;
    const chip = make("span", `chip ${tone}`, percent ?? difference);
    chip.title = `${difference} against ${before}`;
    figures.append(chip);
    article.dataset.before = before;
    article.append(make("p", "before", percent ? `${before} (${difference})` : before));
  }
  article.append(make("p", "context", card.context));
  const line = spark(card.line, card.role);
  if (line) article.append(line);
  else article.classList.add("plain");
  return article;
};

const waiting = (label) => {
  const article = make("article", "card waiting");
  article.append(
    make("h3", "", label), make("div", "value pulse"), make("div", "context pulse"),
    make("div", "spark pulse"),
  );
  return article;
};

export default {
  render({ model, el }) {
    el.classList.add("usage-part");
    const list = make("section", "cards");
    list.setAttribute("aria-label", model.get("label"));
    el.append(list);
    const show = () => {
      const cards = model.get("cards");
      list.replaceChildren(...(cards.length ? cards.map(filled) : model.get("names").map(waiting)));
      el.hidden = !list.childElementCount;
    };
    model.on("change:cards", show);
    show();
  },
};
