// What an output of a stack of layers sees in the shown part of the input, and which outputs notice what was painted.

import { fieldsOf, pathsTo, placesOf, range, read } from "./layers.js";

export const SIDE = 33; // pixels of the input that are shown
const WIDEST = 1500; // field of which each path is followed
export const sum = (values) => values.reduce((total, v) => total + v, 0);

// The output that lies nearest to a pixel, and all about what it sees along one axis.
function sightOf(layers, at) {
  const { start, step } = placesOf(layers).at(-1);
  const unit = Math.round((at - start) / step);
  const levels = pathsTo(layers, unit);
  const seen = [...levels[0].keys()];
  const first = seen.length ? Math.min(...seen) : at;
  const counts = range(seen.length ? Math.max(...seen) - first + 1 : 0).map((i) => levels[0].get(first + i) ?? 0);
  return { unit, levels, first, counts };
}

// The middle part of the field through which 95 % of the paths lead.
export function effective(counts) {
  const total = sum(counts);
  let [a, b, left] = [0, counts.length, total];
  while (b - a > 1) {
    const without = counts[a] < counts[b - 1] ? left - counts[a] : left - counts[b - 1];
    if (without < 0.95 * total) break;
    left = without;
    counts[a] < counts[b - 1] ? (a += 1) : (b -= 1);
  }
  return b - a;
}

let known = {};
export function look({ stack, row, column }) {
  const key = `${stack} ${row} ${column}`;
  if (known.key !== key) {
    const layers = read(stack);
    const widest = Math.max(...fieldsOf(layers));
    known = { key, layers, widest, tooWide: widest > WIDEST };
    if (!known.tooWide) Object.assign(known, { down: sightOf(layers, row), across: sightOf(layers, column) });
  }
  return known;
}

// How strongly each output that lies within the picture notices what was painted.
export function responses(layers, painted) {
  const { start, step } = placesOf(layers).at(-1);
  const first = Math.ceil((-0.5 - start) / step);
  const n = Math.min(132, Math.max(1, Math.floor((SIDE - 0.5 - start) / step) - first + 1));
  const rows = new Map();
  const pathsOf = range(n).map((i) => pathsTo(layers, first + i)[0]);
  const values = new Float64Array(n * n);
  for (const i of painted) {
    const [y, x] = [Math.floor(i / SIDE), i % SIDE];
    if (!rows.has(y)) rows.set(y, pathsOf.map((paths) => paths.get(y) ?? 0));
    const across = pathsOf.map((paths) => paths.get(x) ?? 0);
    rows.get(y).forEach((down, v) => down && across.forEach((paths, u) => (values[v * n + u] += down * paths)));
  }
  return { first, n, step, start, values };
}

export const noticed = ({ down, across }, painted) => sum(painted.map((i) => (down.levels[0].get(Math.floor(i / SIDE)) ?? 0) * (across.levels[0].get(i % SIDE) ?? 0)));
