// Injected before any script of a page: when does it show the charts of a period?
//
// A mark counts from the frame in which it is in the window, is visible, is not small, and runs as
// one of the series of that period does: a skeleton, or another period's line, is none. The moment
// is that after the frame was rendered, in the browser's own clock.
"use strict";

(() => {
  const { series, selector, canvas, shadows } = BENCH;
  const POINTS = 24;
  const SMALL = 100;
  // Lines are drawn over each other, and read from a canvas as they were painted.
  const LIKENESS = canvas ? 0.93 : 0.995;
  if (top !== self || !location.protocol.startsWith("http")) return;

  const now = () => performance.timeOrigin + performance.now();

  const everywhere = function* (css, root = document) {
    yield* root.querySelectorAll(css);
    if (!shadows) return;
    for (const host of root.querySelectorAll("*")) {
      if (host.shadowRoot) yield* everywhere(css, host.shadowRoot);
    }
  };

  const inWindow = (element) => {
    const box = element.getBoundingClientRect();
    return (
      box.width >= SMALL && box.height > 10 && box.bottom > 0 && box.right > 0 &&
      box.top < innerHeight && box.left < innerWidth &&
      element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    );
  };

  // Heights at as many places between its ends, whatever a line was made of.
  const sampled = (points) => {
    const [first, last] = [points[0][0], points.at(-1)[0]];
    let at = 0;
    return Array.from({ length: POINTS }, (_, n) => {
      const x = first + ((last - first) * n) / (POINTS - 1);
      while (at < points.length - 2 && points[at + 1][0] < x) at += 1;
      const [[x0, y0], [x1, y1]] = [points[at], points[at + 1]];
      return x1 > x0 ? y0 + ((y1 - y0) * (x - x0)) / (x1 - x0) : y0;
    });
  };

  const likeness = (one, other) => {
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [a, b] = [mean(one), mean(other)];
    let [ab, aa, bb] = [0, 0, 0];
    one.forEach((value, n) => {
      ab += (value - a) * (other[n] - b);
      aa += (value - a) ** 2;
      bb += (other[n] - b) ** 2;
    });
    return aa && bb ? ab / Math.sqrt(aa * bb) : 0;
  };

  const wanted = {};
  for (const [period, lines] of Object.entries(series)) {
    wanted[period] = lines.map(({ color, values }) => ({
      color,
      heights: sampled(values.map((value, n) => [n, value])),
    }));
  }

  const ofPath = (path) => {
    const numbers = (path.getAttribute("d") ?? "").match(/-?\d+(\.\d+)?(e-?\d+)?/g)?.map(Number) ?? [];
    const points = [];
    for (let n = 0; n + 1 < numbers.length; n += 2) points.push([numbers[n], -numbers[n + 1]]);
    return points;
  };

  // The middle of what each column of pixels has of a colour.
  const ofPixels = (data, width, height, color) => {
    const points = [];
    for (let x = 0; x < width; x += 1) {
      let [sum, count] = [0, 0];
      for (let y = 0; y < height; y += 1) {
        const at = 4 * (y * width + x);
        if (
          data[at + 3] > 150 &&
          Math.abs(data[at] - color[0]) + Math.abs(data[at + 1] - color[1]) +
            Math.abs(data[at + 2] - color[2]) < 45
        ) {
          sum += y;
          count += 1;
        }
      }
      if (count) points.push([x, -sum / count]);
    }
    return points;
  };

  const runsAs = (points, heights) =>
    points.length > 5 && likeness(sampled(points), heights) > LIKENESS;

  const shows = (period) => {
    const lines = wanted[period];
    for (const mark of everywhere(selector)) {
      if (!inWindow(mark)) continue;
      if (!canvas) {
        const points = ofPath(mark);
        if (lines.some((line) => runsAs(points, line.heights))) return true;
      } else if (mark.width && mark.height) {
        const context = mark.getContext("2d");
        const { data } = context?.getImageData(0, 0, mark.width, mark.height) ?? { data: [] };
        if (
          lines.some((line) =>
            runsAs(ofPixels(data, mark.width, mark.height, line.color), line.heights),
          )
        ) {
          return true;
        }
      }
    }
    return false;
  };

  // Resolves right after the frame was rendered that first showed this period.
  const seen = (period) =>
    new Promise((resolve) => {
      const look = () => {
        if (!shows(period)) {
          requestAnimationFrame(look);
          return;
        }
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve(now());
        port2.postMessage(null);
      };
      requestAnimationFrame(look);
    });

  // The browser tells of its first contentful paint only when the frame is on the screen.
  const contentful = new Promise((resolve) => {
    new PerformanceObserver((list) => {
      for (const { name, startTime } of list.getEntries()) {
        if (name === "first-contentful-paint") resolve(startTime);
      }
    }).observe({ type: "paint", buffered: true });
  });

  // Whatever can be clicked and says this, wherever it is. A link is none: it leaves for another page.
  const control = (label) => {
    const controls = ":is(button, label, [role=tab], [role=radio], .bk-tab, .tab):not(a[href])";
    for (const found of everywhere(controls)) {
      // What is laid out is asked for only where it can matter: it takes long.
      if (!found.textContent.includes(label)) continue;
      const text = (found.innerText ?? "").trim();
      if (text === label && found.checkVisibility()) return found;
    }
    return null;
  };

  let clicked = 0;
  addEventListener("click", (event) => (clicked ||= performance.timeOrigin + event.timeStamp), true);

  window.bench = {
    control,
    seen,
    shows,
    // Milliseconds from the navigation to the first frame with the charts of a period; never
    // before the browser says that it painted anything at all.
    async first(period) {
      const [moment, painted] = await Promise.all([seen(period), contentful]);
      return Math.max(moment, performance.timeOrigin + painted) - performance.timeOrigin;
    },
    // Click until it is heard: milliseconds from the navigation until the period is on screen.
    async answers(label, period) {
      let done = 0;
      const moment = seen(period).then((at) => (done = at));
      while (!done) {
        control(label)?.click();
        await Promise.race([moment, new Promise((resolve) => setTimeout(resolve, 50))]);
      }
      return (await moment) - performance.timeOrigin;
    },
    // From the next real click to the first frame with the charts of a period.
    change(period) {
      clicked = 0;
      bench.changed = seen(period).then((at) => at - clicked);
    },
    place(label) {
      const box = control(label)?.getBoundingClientRect();
      return box ? [box.x + box.width / 2, box.y + box.height / 2] : null;
    },
  };
  bench.opened = bench.first(BENCH.first);
})();
