// The layers of a stack as rows of units, with all paths to one output.

import { clamp, shape } from "../frame/frame.js";
import { placesOf, sources } from "./layers.js";

const text = (x, y, content, more = {}) => shape("text", { x, y, "font-size": 15, fill: "var(--soft)", ...more }, content);

// From dark blue over gray to yellow (cividis), for 0 to 1.
export function shade(part) {
  const [low, middle, high] = [[0, 34, 78], [124, 123, 120], [254, 232, 56]];
  const [a, b, t] = part < 0.5 ? [low, middle, 2 * part] : [middle, high, 2 * part - 1];
  return a.map((v, c) => Math.round(v + t * (b[c] - v)));
}

// Draw the layers of a stack along a row, `width` wide; returns what part of the row that is.
export function drawRow(svg, { layers, across, tooWide, widest }, width) {
  const [top, gap, left, right] = [34, 62, 8, width - 8];
  svg.setAttribute("viewBox", `0 0 ${width} ${top + gap * layers.length + 20}`);
  svg.replaceChildren();
  if (tooWide) {
    svg.append(text(width / 2, 90, `${widest.toLocaleString("en")} pixels: too wide to follow each path`, { "text-anchor": "middle", "font-size": 18 }));
    return null;
  }
  const places = placesOf(layers);
  const center = places.at(-1).start + places.at(-1).step * across.unit;
  const reach = Math.max(9.5, 0.56 * across.counts.length);
  const x = (place) => left + ((place - center + reach) / (2 * reach)) * (right - left);
  const y = (level) => top + gap * (layers.length - level);
  const most = across.levels.map((paths) => Math.max(...paths.values()));
  const placeOf = (level, unit) => x(places[level].start + places[level].step * unit);
  across.levels.slice(1).forEach((paths, i) => {
    if (across.levels[i].size > 120) { // too many lines: a fan from the outermost units
      const ends = (level) => [Math.min, Math.max].map((end) => `${placeOf(level, end(...across.levels[level].keys()))},${y(level)}`);
      const [[a, b], [c, d]] = [ends(i + 1), ends(i)];
      return svg.append(shape("polygon", { points: [a, b, d, c].join(" "), fill: "var(--accent)", opacity: 0.25 }));
    }
    for (const [unit, weight] of paths) {
      for (const [source] of sources(layers[i], unit)) {
        svg.append(shape("line", { x1: placeOf(i + 1, unit), y1: y(i + 1), x2: placeOf(i, source), y2: y(i), stroke: "var(--accent)", "stroke-width": 0.8 + 2 * Math.sqrt(weight / most[i + 1]), opacity: 0.55 }));
      }
    }
  });
  places.forEach(({ start, step }, level) => {
    const radius = clamp((0.36 * step * (right - left)) / (2 * reach), 1.2, 11);
    const [a, b] = [Math.ceil((center - reach - start) / step), Math.floor((center + reach - start) / step)];
    if (b - a < 400) {
      for (let unit = a; unit <= b; unit++) {
        const weight = across.levels[level].get(unit) ?? 0;
        svg.append(shape("circle", { cx: x(start + step * unit), cy: y(level), r: radius, fill: weight ? `rgb(${shade(Math.sqrt(weight / most[level]))})` : "var(--paper)", stroke: weight ? "var(--ink)" : "var(--line)", "stroke-width": 1.2, class: weight && level === 0 ? "seen" : null }));
      }
    }
    const name = level === 0 ? "input" : level === layers.length ? "output" : `after layer ${level}`;
    svg.append(text(left, y(level) - 17, name, { stroke: "var(--panel)", "stroke-width": 4, "paint-order": "stroke" }));
  });
  return { center, reach, left, right, width };
}
