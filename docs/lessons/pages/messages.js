import { Kernels } from "../frame/kernels.js";
import { State, bind, carried, clamp, exercises, guess, live, one, ready, say, shape, whole } from "../frame/frame.js";

const [LENGTH, LABELS, SIDE] = [7, 3, 3];
const NAMES = ["a", "b", "c"];
const INKS = ["var(--blue)", "var(--orange)", "var(--green)"];
const FIRST = "052" + "407" + "630" + "145" + "804" + "260" + "371"; // costs of a, b, c, pixel after pixel
const GRID = "294" + "192" + "522" + "855" + "414" + "470" + "337" + "383" + "384"; // on which loops mislead
const ALL = (LENGTH - 1) * LABELS;

const kernels = await Kernels.load(await carried("messages"));
const digits = (n, high) => ({
  read: (text) => {
    const values = [...text].map(Number);
    if (values.length === n && values.every((v) => v >= 0 && v <= high)) return values;
    throw new Error("no costs");
  },
  write: (values) => values.join(""),
});
const choices = {
  start: [],
  read: (text) => {
    const values = [...text].map(Number);
    return values.length <= ALL && values.every((v) => v >= 0 && v < LABELS) ? values : [];
  },
  write: (values) => values.join(""),
};
const state = new State({
  lambda: whole(4, 0, 9),
  costs: { start: [...FIRST].map(Number), ...digits(LENGTH * LABELS, 9) },
  ways: choices, // from which label each message comes
  helped: whole(0, 0, 1),
  sweeps: whole(8, 0, 20),
  glue: whole(3, 0, 9), // lambda of the grid
  grid: { start: [...GRID].map(Number), ...digits(SIDE * SIDE * LABELS, 9) },
});

// --- computing --------------------------------------------------------------------------------------------------------

// Costs of the cheapest rows that end in each label of each pixel, as far as ways have been chosen.
function totalsOf({ costs, lambda, ways }) {
  const totals = costs.slice(0, LABELS);
  ways.forEach((from, i) => {
    const to = i % LABELS;
    const before = totals[LABELS * Math.floor(i / LABELS) + from];
    totals.push(before + (from === to ? 0 : lambda) + costs[LABELS + i]);
  });
  return totals;
}

// What each way to message number i costs, without the own cost.
function waysTo(i, totals, lambda) {
  const pixel = Math.floor(i / LABELS);
  return NAMES.map((_, from) => totals[LABELS * pixel + from] + (from === i % LABELS ? 0 : lambda));
}

// As many of the ways, from the first on, as are cheapest: an address may say anything.
function soundWays(values) {
  const n = values.ways.findIndex((from, i) => {
    const arrivals = waysTo(i, totalsOf({ ...values, ways: values.ways.slice(0, i) }), values.lambda);
    return arrivals[from] > Math.min(...arrivals);
  });
  return n < 0 ? values.ways : values.ways.slice(0, n);
}

function cheapestWays(values) {
  let ways = values.ways;
  while (ways.length < ALL) {
    const arrivals = waysTo(ways.length, totalsOf({ ...values, ways }), values.lambda);
    ways = [...ways, arrivals.indexOf(Math.min(...arrivals))];
  }
  return ways;
}

// The labels of the row, once all messages have been sent.
function trace(values) {
  const totals = totalsOf(values);
  const last = totals.slice(-LABELS);
  const labels = [last.indexOf(Math.min(...last))];
  for (let pixel = LENGTH - 1; pixel > 0; pixel--) labels.unshift(values.ways[LABELS * (pixel - 1) + labels[0]]);
  return labels;
}

// By the library's kernel: beliefs and labels after some sweeps.
function propagate(height, width, costs, lambda, sweeps) {
  const size = height * width * LABELS;
  const [beliefs, labels] = [new Float64Array(size), new Int32Array(height * width)];
  kernels.call("propagate", height, width, LABELS, Float64Array.from(costs), lambda, sweeps, new Float64Array(2 * size), new Float64Array(2 * size), beliefs, labels);
  return { beliefs, labels };
}

function energyOf(labels, width, costs, lambda) {
  let energy = 0;
  labels.forEach((label, i) => {
    energy += costs[LABELS * i + label];
    if ((i + 1) % width && labels[i + 1] !== label) energy += lambda;
    if (i + width < labels.length && labels[i + width] !== label) energy += lambda;
  });
  return energy;
}

// The least energy of the small grid for each label of the middle pixel, by trying all labellings.
const known = new Map();
function tryAll(costs, lambda) {
  const key = `${costs.join("")} ${lambda}`;
  if (!known.has(key)) {
    const n = SIDE * SIDE;
    const least = new Array(LABELS).fill(Infinity);
    const labels = new Array(n).fill(0);
    for (let number = 0; number < LABELS ** n; number++) {
      for (let i = 0, rest = number; i < n; i++, rest = Math.floor(rest / LABELS)) labels[i] = rest % LABELS;
      const energy = energyOf(labels, SIDE, costs, lambda);
      const middle = labels[(n - 1) / 2];
      if (energy < least[middle]) least[middle] = energy;
    }
    known.set(key, least);
  }
  return known.get(key);
}

const leadOf = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[1] - sorted[0];
};

// --- drawing ----------------------------------------------------------------------------------------------------------

// Pixels from left to right, on a phone from top to bottom.
const narrow = matchMedia("(max-width: 560px)");
const along = (pixel) => 58 + 107 * pixel;
const across = (label) => 60 + 105 * label;
const x = (pixel, label) => (narrow.matches ? across(label) + 30 : along(pixel));
const y = (pixel, label) => (narrow.matches ? along(pixel) - 20 : across(label));

function drawChain() {
  const { costs, lambda, ways } = state.values;
  const svg = one("#chain");
  const totals = totalsOf(state.values);
  const next = ways.length;
  const best = next === ALL ? trace(state.values) : null;
  const line = (i, from, attributes) => {
    const [pixel, to] = [Math.floor(i / LABELS), i % LABELS];
    return shape("line", { x1: x(pixel, from), y1: y(pixel, from), x2: x(pixel + 1, to), y2: y(pixel + 1, to), "stroke-linecap": "round", ...attributes });
  };
  svg.setAttribute("viewBox", narrow.matches ? "0 0 360 740" : "0 0 760 330");
  svg.replaceChildren();
  for (let i = next + 1; i < ALL; i++) NAMES.forEach((_, from) => svg.append(line(i, from, { stroke: "var(--line)", "stroke-width": 1 })));
  ways.forEach((from, i) => {
    const pixel = Math.floor(i / LABELS);
    const onBest = best && best[pixel + 1] === i % LABELS;
    svg.append(line(i, from, { stroke: onBest ? "var(--accent)" : "var(--soft)", "stroke-width": onBest ? 8 : 3, class: onBest ? "best" : null }));
  });
  if (next < ALL) {
    NAMES.forEach((_, from) => {
      const [pixel, to] = [Math.floor(next / LABELS), next % LABELS];
      const [x1, y1, x2, y2] = [x(pixel, from), y(pixel, from), x(pixel + 1, to), y(pixel + 1, to)];
      svg.append(line(next, from, { stroke: "var(--accent)", "stroke-width": 3, "stroke-dasharray": "7 6" }));
      const part = narrow.matches ? 0.56 : 0.42;
      svg.append(shape("text", { x: x1 + part * (x2 - x1), y: y1 + part * (y2 - y1) - 5, "text-anchor": "middle", "font-size": 15, "font-weight": 700, fill: "var(--accent)", stroke: "var(--panel)", "stroke-width": 5, "paint-order": "stroke" }, from === next % LABELS ? "+0" : `+${lambda}`));
    });
  }
  for (let pixel = 0; pixel < LENGTH; pixel++) {
    const at = narrow.matches ? { x: 24, y: y(pixel, 0) + 6 } : { x: x(pixel, 0), y: 20 };
    svg.append(shape("text", { ...at, "text-anchor": "middle", "font-size": 14, fill: "var(--soft)" }, narrow.matches ? `${pixel + 1}` : `pixel ${pixel + 1}`));
    for (let label = 0; label < LABELS; label++) drawNode(svg, pixel, label, totals[LABELS * pixel + label], costs[LABELS * pixel + label], next, best);
  }
}

function drawNode(svg, pixel, label, total, cost, next, best) {
  const waiting = next < ALL && pixel === Math.floor(next / LABELS) + 1 && label === next % LABELS;
  const chosen = best && best[pixel] === label;
  const group = shape("g", { "data-pixel": pixel, "data-label": label, style: "cursor:pointer" },
    shape("circle", { cx: x(pixel, label), cy: y(pixel, label), r: 31, fill: chosen ? INKS[label] : "var(--paper)", stroke: waiting ? "var(--accent)" : INKS[label], "stroke-width": waiting ? 7 : 3, "stroke-dasharray": waiting ? "9 5" : null }),
    shape("text", { x: x(pixel, label), y: y(pixel, label) + (total === undefined ? 8 : 2), "text-anchor": "middle", "font-size": 23, "font-weight": 700, fill: chosen ? "#14171b" : "var(--ink)" }, total === undefined ? `${cost}` : `${total}`),
  );
  if (total !== undefined) group.append(shape("text", { x: x(pixel, label), y: y(pixel, label) + 20, "text-anchor": "middle", "font-size": 13, fill: chosen ? "#14171b" : "var(--soft)" }, `${NAMES[label]} · ${cost}`));
  else group.append(shape("text", { x: x(pixel, label), y: y(pixel, label) + 24, "text-anchor": "middle", "font-size": 12, fill: "var(--soft)" }, NAMES[label]));
  svg.append(group);
}

function drawGrid() {
  const { grid, glue: lambda, sweeps } = state.values;
  const { beliefs, labels } = propagate(SIDE, SIDE, grid, lambda, sweeps);
  const svg = one("#grid");
  const most = 14; // of what the bars can show
  svg.replaceChildren();
  for (let i = 0; i < SIDE * SIDE; i++) {
    const [left, top] = [8 + 117 * (i % SIDE), 8 + 117 * Math.floor(i / SIDE)];
    svg.append(shape("rect", { x: left, y: top, width: 108, height: 108, rx: 10, fill: "var(--paper)", stroke: INKS[labels[i]], "stroke-width": 4 }));
    const own = beliefs.slice(LABELS * i, LABELS * i + LABELS);
    const least = Math.min(...own);
    own.forEach((belief, label) => {
      const height = 4 + 68 * Math.min(1, (belief - least) / most);
      svg.append(
        shape("rect", { x: left + 14 + 29 * label, y: top + 84 - height, width: 22, height, rx: 3, fill: INKS[label], class: "belief" }),
        shape("text", { x: left + 25 + 29 * label, y: top + 100, "text-anchor": "middle", "font-size": 14, "font-weight": label === labels[i] ? 700 : 400, fill: "var(--ink)" }, NAMES[label]),
      );
    });
  }
  const exact = tryAll(grid, lambda);
  const middle = LABELS * ((SIDE * SIDE - 1) / 2);
  live({ sweeps, glue: lambda, loopy: energyOf([...labels], SIDE, grid, lambda), exact: Math.min(...exact), lead: leadOf(beliefs.slice(middle, middle + LABELS)), truelead: leadOf(exact) });
}

// --- what is done -----------------------------------------------------------------------------------------------------

function choose(from) {
  const { ways, lambda } = state.values;
  const i = ways.length;
  if (i === ALL) return say("All messages have been sent. Start over, or change a cost.");
  const arrivals = waysTo(i, totalsOf(state.values), lambda);
  const least = Math.min(...arrivals);
  const name = NAMES[i % LABELS];
  const sum = (k) => (k === i % LABELS ? `${arrivals[k]}` : `${arrivals[k] - lambda} + ${lambda} = ${arrivals[k]}`);
  if (arrivals[from] > least) {
    const better = arrivals.indexOf(least);
    return say(`From ${NAMES[from]} you arrive with ${sum(from)}, but there is a cheaper way: look at ${NAMES[better]}.`, "bad");
  }
  state.set({ ways: [...ways, from] });
  const done = state.get("ways").length === ALL;
  if (done) return finish();
  say(`Yes: ${name} is reached from ${NAMES[from]} with ${sum(from)}, and its own cost is added.`, "good");
}

function finish() {
  const labels = trace(state.values);
  const { costs, lambda } = state.values;
  say(`All sent. The best row is <b>${labels.map((l) => NAMES[l]).join(" ")}</b>. It costs ${energyOf(labels, LENGTH, costs, lambda)}, and no row costs less.`, "good");
}

function sendOne() {
  const ways = cheapestWays(state.values);
  if (state.get("ways").length < ALL) choose(ways[state.get("ways").length]);
}

function rest() {
  state.set({ ways: cheapestWays(state.values), helped: 1 });
  finish();
}

let seed = 1;
function otherCosts() {
  return state.get("grid").map(() => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * 10);
  });
}

// Look for costs on which twenty sweeps fail.
function wrong() {
  const { glue: lambda } = state.values;
  const end = performance.now() + 400; // ms
  while (performance.now() < end) {
    const grid = otherCosts();
    const { labels } = propagate(SIDE, SIDE, grid, lambda, 20);
    if (energyOf([...labels], SIDE, grid, lambda) === Math.min(...tryAll(grid, lambda))) continue;
    state.set({ grid, sweeps: 20 });
    return say("Twenty sweeps, and the labels are not the best: what the messages say has gone round in circles.", "bad");
  }
  say(`With λ = ${lambda} no such costs turned up so far. Press again, or take another λ.`);
}

// --- wiring -----------------------------------------------------------------------------------------------------------

state.values.ways = soundWays(state.values);
let before = state.values;
state.whenChanged((values) => {
  if (values.lambda !== before.lambda && values.ways === before.ways) state.values.ways = []; // those of another λ
  before = state.values;
  const { costs, lambda, ways } = state.values;
  const greedy = Array.from({ length: LENGTH }, (_, i) => {
    const own = costs.slice(LABELS * i, LABELS * i + LABELS);
    return own.indexOf(Math.min(...own));
  });
  const { labels } = propagate(1, LENGTH, costs, lambda, 1);
  const rows = NAMES.map((_, label) => `[${Array.from({ length: LENGTH }, (_, i) => costs[LABELS * i + label]).join(", ")}]`);
  live({ lambda, done: ways.length, all: ALL, greedy: energyOf(greedy, LENGTH, costs, lambda), best: energyOf([...labels], LENGTH, costs, lambda), python: `[${rows.join(", ")}]` });
  drawChain();
  drawGrid();
});
narrow.addEventListener("change", drawChain);
const step = (by) => state.set({ sweeps: clamp(state.get("sweeps") + by, 0, 20) });
bind(state, { one: sendOne, rest, back: () => step(-1), forth: () => step(1), shuffle: () => state.set({ grid: otherCosts() }), wrong });
guess("greedy", (value) => {
  const [greedy, best] = ["greedy", "best"].map((name) => Number(one(`[data-live=${name}]`).textContent));
  const gap = greedy - best;
  const right = value === (gap === 0 ? "0" : gap < 5 ? "near" : "far");
  return `${right ? "Yes" : "No"}: the greedy row costs ${greedy}, the best one ${best}. Every change of label costs λ, and greedy pixels change all the time.`;
});
const flatAt = (costs, lambda) => new Set(propagate(1, LENGTH, costs, lambda, 1).labels).size === 1;
exercises(state, {
  viterbi: (values) => values.ways.length === ALL && !values.helped,
  flat: (values) => values.ways.length === ALL && new Set(trace(values)).size === 1 && !flatAt(values.costs, values.lambda - 1),
  loops: (values) => values.grid.join("") !== GRID && values.sweeps === 20 && Number(one("[data-live=loopy]").textContent) > Math.min(...tryAll(values.grid, values.glue)),
});
one("#chain").addEventListener("pointerdown", (event) => {
  const node = event.target.closest("[data-pixel]");
  if (!node) return;
  const [pixel, label] = [Number(node.dataset.pixel), Number(node.dataset.label)];
  const { ways, costs } = state.values;
  const from = Math.floor(ways.length / LABELS);
  if (ways.length < ALL && pixel === from) choose(label);
  else if (!ways.length) state.set({ costs: costs.with(LABELS * pixel + label, (costs[LABELS * pixel + label] + 1) % 10) });
  else say(pixel > from ? "Not yet: messages go from left to right. Choose a circle in the column before the ring." : "That message has been sent. Undo it if you want to change it.", "bad");
});
one("#chain").addEventListener("keydown", (event) => {
  const label = NAMES.indexOf(event.key);
  if (label < 0 || event.ctrlKey || event.metaKey) return;
  choose(label);
  event.preventDefault();
});

state.tell();
say("The ring waits for its message: from which label of pixel 1 is <b>a</b> of pixel 2 reached most cheaply?");
ready();
