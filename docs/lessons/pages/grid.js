import { Kernels } from "../frame/kernels.js";
import { State, atLine, bind, carried, choice, clamp, eachFrame, exercises, guess, live, one, ready, say, shape, takeImages, whole } from "../frame/frame.js";
import { paint } from "./pixels.js";
import { fourColours, right, withNoise } from "./noise.js";

const [CUP_HEIGHT, CUP_WIDTH] = [96, 144];
const MOST = 30; // iterations
const SEEN = 10; // what it costs to contradict what was seen
const STEPS = [[0, 1], [1, 0], [1, 1], [1, -1]];
const COLOURS = [[90, 98, 110], [86, 180, 233], [0, 158, 115], [213, 94, 0], [240, 228, 66]];
const NAMES = ["table", "porcelain", "cup inside", "coffee", "spoon"];
const SOLVERS = {
  icm: { name: "ICM", unit: "sweeps", ink: "var(--orange)" },
  expansion: { name: "α-expansion", unit: "moves", ink: "var(--blue)" },
  trws: { name: "TRW-S", unit: "iterations", ink: "var(--purple)" },
};

const kernels = await Kernels.load(await carried("grid"));
const bytes = await carried("cup");
const state = new State({
  solver: choice("icm", "expansion", "trws"),
  iteration: whole(MOST, 0, MOST),
  lambda: whole(8, 0, 40),
  contrast: whole(1, 0, 1),
  eight: whole(0, 0, 1),
  brush: whole(0, 0, 4),
  painted: { start: null, read: () => null, write: () => "" }, // labels of one's own; too many for an address
});

// --- the problem ------------------------------------------------------------------------------------------------------

// The cup at half its size: every second pixel.
function smallCup() {
  const [height, width, n] = [CUP_HEIGHT / 2, CUP_WIDTH / 2, CUP_HEIGHT * CUP_WIDTH];
  const from = Array.from({ length: height * width }, (_, i) => 2 * Math.floor(i / width) * CUP_WIDTH + 2 * (i % width));
  const image = Uint8Array.from({ length: 3 * from.length }, (_, i) => bytes[3 * from[Math.floor(i / 3)] + (i % 3)]);
  return { height, width, image, truth: Uint8Array.from(from, (i) => bytes[8 * n + i]), n: 5, names: NAMES };
}

function problemOf(picture) {
  const { height, width, image, truth, n } = picture;
  const size = height * width;
  const seen = withNoise(truth, n);
  const unary = Int32Array.from({ length: n * size }, (_, i) => (seen[i % size] === Math.floor(i / size) ? 0 : SEEN));
  const gaps = STEPS.map(([dy, dx]) => Float64Array.from({ length: size }, (_, i) => {
    const [y, x] = [Math.floor(i / width) + dy, (i % width) + dx];
    if (y >= height || x < 0 || x >= width) return -1; // leads out of the image
    const j = y * width + x;
    return [0, 1, 2].reduce((sum, c) => sum + (image[3 * i + c] - image[3 * j + c]) ** 2, 0);
  }));
  return { ...picture, size, unary, gaps, start: Int32Array.from(seen) };
}

// Whole weights of all edges, as contrast_weights has them, times lambda.
function weightsOf({ gaps, size }, { lambda, contrast, eight }) {
  const used = gaps.slice(0, eight ? 4 : 2);
  const inside = used.flatMap((g) => [...g].filter((gap) => gap >= 0));
  const beta = contrast ? inside.length / (2 * inside.reduce((sum, gap) => sum + gap, 0) || 1) : 0;
  const weights = new Int32Array(4 * size);
  used.forEach((g, k) => {
    const distance = k < 2 ? 1 : Math.SQRT2;
    g.forEach((gap, i) => (weights[k * size + i] = gap < 0 ? 0 : Math.round((lambda * Math.exp(-beta * gap)) / distance)));
  });
  return weights;
}

function cheapestLabel({ unary, n, size }) {
  const totals = Array.from({ length: n }, (_, label) => unary.subarray(label * size, (label + 1) * size).reduce((sum, v) => sum + v, 0));
  return totals.indexOf(Math.min(...totals));
}

// Run a solver; returns the labels after so many iterations, and energies (and bounds) after each.
function run(solver, iterations) {
  const { height, width, n, size, unary, start } = problem;
  const labels = solver === "expansion" ? new Int32Array(size).fill(cheapestLabel(problem)) : start.slice();
  const curves = [new Float64Array(Math.max(1, iterations)), new Float64Array(Math.max(1, iterations))];
  if (iterations > 0) {
    const out = solver === "trws" ? curves : curves.slice(0, 1);
    kernels.call(solver, height, width, n, state.get("eight") ? 4 : 2, unary, weights, iterations, labels, ...out);
  }
  return { labels, energies: curves[0], bounds: curves[1] };
}

function costOf(labels) {
  const { size, unary, width } = problem;
  let [seen, borders] = [0, 0];
  labels.forEach((label, i) => (seen += unary[label * size + i]));
  STEPS.forEach(([dy, dx], k) => labels.forEach((label, i) => {
    const weight = weights[k * size + i];
    if (weight && labels[i + dy * width + dx] !== label) borders += weight;
  }));
  return { seen, borders, energy: seen + borders };
}

// --- drawing ----------------------------------------------------------------------------------------------------------

let problem = problemOf(smallCup());
let weights;
let curves = {};
let settings = "";
let shown;
let cursor = null;

function solveAll() {
  const { lambda, contrast, eight } = state.values;
  const now = [lambda, contrast, eight].join();
  if (now === settings) return;
  settings = now;
  weights = weightsOf(problem, state.values);
  for (const solver of Object.keys(SOLVERS)) curves[solver] = run(solver, MOST);
}

// Costs are whole, so a bound may be rounded up; it is found with the rounding of float64.
const boundOf = (values) => Math.ceil(Math.max(...values) - 1e-3);

const draw = eachFrame(() => {
  const values = state.values;
  const { solver, iteration } = values;
  solveAll();
  const { height, width, image, truth, size } = problem;
  shown = values.painted ?? run(solver, iteration).labels;
  const context = paint(one("#labels"), problem, (i, data, at) => {
    const colour = COLOURS[shown[i]];
    for (let c = 0; c < 3; c++) data[at + c] = 0.35 * image[3 * i + c] + 0.65 * colour[c];
  });
  if (cursor !== null) {
    context.strokeStyle = "#fff";
    context.strokeRect((cursor % width) - 1.5, Math.floor(cursor / width) - 1.5, 4, 4);
  }
  const cost = costOf(shown);
  const bound = boundOf(curves.trws.bounds);
  const last = (name) => curves[name].energies[MOST - 1];
  const settled = (name) => curves[name].energies.findIndex((e) => e === last(name)) + 1;
  atLine(...{ icm: [0, 1], expansion: [2, 3], trws: [4, 5] }[solver]);
  live({
    pixels: size.toLocaleString("en"), unary: cost.seen, pairwise: cost.borders, energy: cost.energy, bound, gap: cost.energy - bound,
    right: right(shown, truth).toFixed(1), lambda: values.lambda, iteration, unit: SOLVERS[solver].unit, name: SOLVERS[solver].name, solver,
    icm: last("icm"), icmsteps: settled("icm"), icmgap: last("icm") - bound, expansion: last("expansion"), expansionsteps: settled("expansion"),
    trws: last("trws"), trwsgap: last("trws") - bound, percent: bound > 0 ? ((100 * (last("trws") - bound)) / bound).toFixed(2) : "0",
    connectivity: values.eight ? 8 : 4, beta: values.contrast ? "" : ", beta=0",
  });
  chart(cost.energy, bound);
  check(values);
});

const LEFT = 58;
const [RIGHT, TOP, BOTTOM] = [430, 12, 268];
const xOf = (iteration) => LEFT + ((RIGHT - LEFT) * (iteration - 1)) / (MOST - 1);

function chart(energy, bound) {
  const svg = one("#chart");
  const ends = Object.keys(SOLVERS).map((name) => curves[name].energies[MOST - 1]);
  const spread = Math.max(8, Math.max(...ends) - bound);
  const [low, high] = [bound - 0.35 * spread, Math.max(...ends) + 0.9 * spread];
  const yOf = (value) => BOTTOM - ((BOTTOM - TOP) * (clamp(value, low - spread, high + spread) - low)) / (high - low);
  svg.replaceChildren(shape("clipPath", { id: "inside" }, shape("rect", { x: LEFT, y: TOP, width: RIGHT - LEFT, height: BOTTOM - TOP })));
  const text = (x, y, content, ink = "var(--soft)", anchor = "start") => svg.append(shape("text", { x, y, fill: ink, "font-size": 13, "text-anchor": anchor, "font-weight": ink === "var(--soft)" ? 400 : 700 }, content));
  svg.append(shape("path", { d: `M ${LEFT} ${TOP} V ${BOTTOM} H ${RIGHT}`, fill: "none", stroke: "var(--line)", "stroke-width": 1.5 }));
  const digits = (value) => Math.round(value).toLocaleString("en");
  text(LEFT - 6, TOP + 10, digits(high), "var(--soft)", "end");
  text(LEFT - 6, BOTTOM, digits(low), "var(--soft)", "end");
  text(LEFT, BOTTOM + 18, "1");
  text(RIGHT, BOTTOM + 18, `${MOST}`, "var(--soft)", "end");
  const inside = shape("g", { "clip-path": "url(#inside)" });
  const line = (values, ink, dash) => inside.append(shape("polyline", { points: [...values].map((v, i) => `${xOf(i + 1).toFixed(1)},${yOf(v).toFixed(1)}`).join(" "), fill: "none", stroke: ink, "stroke-width": 2.5, "stroke-dasharray": dash }));
  line(curves.trws.bounds, SOLVERS.trws.ink, "6 4");
  for (const [name, { ink }] of Object.entries(SOLVERS)) line(curves[name].energies, ink);
  const { iteration, painted, solver } = state.values;
  inside.append(shape("circle", { cx: xOf(Math.max(1, iteration)), cy: yOf(energy), r: 6, fill: painted ? "var(--accent)" : SOLVERS[solver].ink, stroke: "var(--panel)", "stroke-width": 2, id: "here" }));
  svg.append(inside);
  let y = TOP + 14;
  for (const { name, ink } of Object.values(SOLVERS)) {
    svg.append(shape("line", { x1: RIGHT - 130, x2: RIGHT - 106, y1: y - 4, y2: y - 4, stroke: ink, "stroke-width": 3 }));
    text(RIGHT - 100, y, name, ink);
    y += 18;
  }
  svg.append(shape("line", { x1: RIGHT - 130, x2: RIGHT - 106, y1: y - 4, y2: y - 4, stroke: SOLVERS.trws.ink, "stroke-width": 3, "stroke-dasharray": "6 4" }));
  text(RIGHT - 100, y, "bound", SOLVERS.trws.ink);
}

function brushes() {
  const { names } = problem;
  one("#brushes").replaceChildren(...names.map((name, label) => {
    const button = document.createElement("button");
    button.innerHTML = `<i style="display:inline-block;width:.9em;height:.9em;border-radius:3px;vertical-align:-.08em;margin-right:.4em;background:rgb(${COLOURS[label]})"></i>${name}`;
    button.setAttribute("aria-pressed", String(label === state.get("brush")));
    button.addEventListener("click", () => state.set({ brush: label }, false));
    return button;
  }));
}

// --- what is done -----------------------------------------------------------------------------------------------------

function paintAt(pixel, begins) {
  const { width, height, size, n } = problem;
  const labels = (state.get("painted") ?? shown).slice();
  const [y0, x0] = [Math.floor(pixel / width), pixel % width];
  for (const [dy, dx] of [[0, 0], [0, 1], [0, -1], [1, 0], [-1, 0]]) {
    const [y, x] = [y0 + dy, x0 + dx];
    if (y >= 0 && x >= 0 && y < height && x < width) labels[y * width + x] = Math.min(state.get("brush"), n - 1);
  }
  if (labels.length === size) state.set({ painted: labels }, begins);
}

const solvedBy = [];
const check = (values) => solvedBy.forEach((look) => look(values));
const first = () => problem.names === NAMES;
exercises({ whenChanged: (look) => solvedBy.push(look) }, {
  hand: (v) => first() && v.painted && v.solver === "icm" && v.lambda === 8 && costOf(v.painted).energy <= curves.icm.energies[MOST - 1] - 40,
  open: (v) => v.solver === "trws" && !v.painted && v.iteration === MOST && costOf(shown).energy >= boundOf(curves.trws.bounds) + 100,
  right: (v) => first() && !v.painted && right(shown, problem.truth) >= 98.6,
});

let before = state.values;
state.whenChanged((values) => {
  const moved = ["solver", "iteration", "lambda", "contrast", "eight"].some((name) => values[name] !== before[name]);
  if (moved && values.painted === before.painted) state.values.painted = null; // it belonged to other settings
  before = state.values;
  brushes();
  draw();
});
const step = (by) => state.set({ iteration: clamp(state.get("iteration") + by, 0, MOST) });
const show = (changes, text) => () => {
  state.set({ ...changes, painted: null });
  say(text, "bad");
};
bind(state, {
  back: () => step(-1),
  forth: () => step(1),
  stuck: show({ solver: "icm", iteration: MOST, lambda: 12, contrast: 1, eight: 0 }, "ICM stuck: clumps of noise keep each other alive, because no pixel gains by changing alone."),
  flat: show({ solver: "expansion", iteration: MOST, lambda: 40, contrast: 0, eight: 1 }, "λ too large: borders cost more than all that pixels saw. The best labelling has next to none."),
  blocky: show({ solver: "expansion", iteration: MOST, lambda: 10, contrast: 0, eight: 0 }, "Blocky: without contrast and diagonals, outlines prefer rows and columns."),
});
guess("winner", (value) => {
  const ends = Object.fromEntries(Object.keys(SOLVERS).map((name) => [name, curves[name].energies[MOST - 1]]));
  const best = Math.min(...Object.values(ends));
  const list = Object.entries(SOLVERS).map(([name, solver]) => `${solver.name} ${ends[name]}`).join(", ");
  return `${ends[value] === best ? "Yes" : "Not here"}: ${list}. The bound is ${boundOf(curves.trws.bounds)}.`;
});

const canvas = one("#labels");
canvas.style.cursor = "crosshair";
const pixelAt = (event) => {
  const box = canvas.getBoundingClientRect();
  const x = clamp(Math.floor(((event.clientX - box.x) / box.width) * problem.width), 0, problem.width - 1);
  const y = clamp(Math.floor(((event.clientY - box.y) / box.height) * problem.height), 0, problem.height - 1);
  return y * problem.width + x;
};
canvas.addEventListener("pointerdown", (event) => {
  cursor = null;
  paintAt(pixelAt(event), true);
});
canvas.addEventListener("pointermove", (event) => event.buttons && paintAt(pixelAt(event), false));
canvas.addEventListener("keydown", (event) => {
  const { width, size, n } = problem;
  const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width, ArrowUp: -width };
  cursor ??= Math.floor(size / 2 + width / 2);
  if (event.key in moves) cursor = clamp(cursor + moves[event.key], 0, size - 1);
  else if (event.key === " ") paintAt(cursor, true);
  else if (event.key === "+" || event.key === "-") step(event.key === "+" ? 1 : -1);
  else if (Number(event.key) >= 1 && Number(event.key) <= n) state.set({ brush: Number(event.key) - 1 }, false);
  else return;
  event.preventDefault();
  draw();
});
one("#chart").style.cursor = "pointer";
one("#chart").addEventListener("pointerdown", (event) => {
  const box = one("#chart").getBoundingClientRect();
  const x = ((event.clientX - box.x) / box.width) * 440;
  state.set({ iteration: clamp(Math.round(1 + ((MOST - 1) * (x - LEFT)) / (RIGHT - LEFT)), 0, MOST) });
});
takeImages(one("#figure"), 72, (image) => {
  problem = problemOf({ ...fourColours(image), names: ["first colour", "second", "third", "fourth"] });
  settings = ""; // solve all anew
  shown = problem.start;
  state.set({ painted: null, brush: 0, iteration: MOST });
  state.tell();
  say("Your image, cut into its four main colours, with the same noise. It stays on this machine.", "good");
});

state.tell();
say("Step through the sweeps, change the solver, or paint. The dot on the curves is the labelling that you see.");
requestAnimationFrame(() => requestAnimationFrame(ready));
