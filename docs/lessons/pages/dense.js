import { Kernels } from "../frame/kernels.js";
import { State, all, atLine, bind, carried, choice, clamp, eachFrame, exercises, guess, live, one, ready, say, takeImages, whole } from "../frame/frame.js";
import { paint, paintParts, ring, takePointer } from "./pixels.js";
import { fourColours, right, withNoise } from "./noise.js";

const [HEIGHT, WIDTH, LABELS] = [96, 144, 5];
const NEAR = 3; // sigma of the smoothness kernel, in pixels
const NAMES = ["table", "porcelain", "cup inside", "coffee", "spoon"];
const COLOURS = [[90, 98, 110], [86, 180, 233], [0, 158, 115], [213, 94, 0], [240, 228, 66]];

const kernels = await Kernels.load(await carried("dense"));
const bytes = await carried("cup");
const state = new State({
  source: choice("noise", "classifier", "own"),
  view: choice("after", "before", "photo"),
  sigma: { start: 20, low: 1, high: 60 },
  color: { start: 12, low: 2, high: 200 },
  weight: { start: 5, low: 0, high: 20 },
  smooth: { start: 1, low: 0, high: 6 },
  iterations: whole(5, 0, 20),
  asked: whole(44 * WIDTH + 43, 0, HEIGHT * WIDTH - 1),
});

// --- what is to be cleaned --------------------------------------------------------------------------------------------

function costsOf(probabilities) {
  return Float32Array.from(probabilities, (p) => -Math.log(Math.max(p, 1e-3)));
}

// The label that is seen has probability 1/2.
function noisy(problem) {
  const { truth, n } = problem;
  const seen = withNoise(truth, n);
  const unary = new Float32Array(n * seen.length);
  for (let label = 0; label < n; label++) {
    seen.forEach((own, i) => (unary[label * seen.length + i] = -Math.log(own === label ? 0.5 : 0.5 / (n - 1))));
  }
  return { ...problem, unary };
}

const pixels = HEIGHT * WIDTH;
const photo = bytes.slice(0, 3 * pixels);
const truth = bytes.slice(8 * pixels);
const problems = {
  noise: noisy({ height: HEIGHT, width: WIDTH, image: photo, truth, n: LABELS }),
  classifier: { height: HEIGHT, width: WIDTH, image: photo, truth, n: LABELS, unary: costsOf(Array.from(bytes.slice(3 * pixels, 8 * pixels), (p) => p / 255)) },
};

// --- computing --------------------------------------------------------------------------------------------------------

function cheapest({ unary, n }) {
  const size = unary.length / n;
  return Int32Array.from({ length: size }, (_, i) => {
    let best = 0;
    for (let label = 1; label < n; label++) if (unary[label * size + i] < unary[best * size + i]) best = label;
    return best;
  });
}

const current = () => problems[state.get("source")] ?? problems.noise;

function infer(problem, { sigma, color, weight, smooth, iterations }) {
  const size = problem.height * problem.width;
  const [marginals, labels] = [new Float32Array(problem.n * size), new Int32Array(size)];
  const { height, width, n, image, unary } = problem;
  const vertices = kernels.call("dense_crf", height, width, n, image, unary, NEAR, smooth, sigma, color, weight, iterations, marginals, labels);
  return { marginals, labels, vertices };
}

// How much the pixel `asked` listens to each other one.
function listening({ height, width, image }, { sigma, color, weight, smooth }, asked) {
  const heard = new Float32Array(height * width);
  const [y0, x0] = [Math.floor(asked / width), asked % width];
  for (let i = 0; i < heard.length; i++) {
    if (i === asked) continue;
    const place = (Math.floor(i / width) - y0) ** 2 + ((i % width) - x0) ** 2;
    let gap = 0;
    for (let c = 0; c < 3; c++) gap += (image[3 * i + c] - image[3 * asked + c]) ** 2;
    heard[i] = smooth * Math.exp(-place / (2 * NEAR ** 2)) + weight * Math.exp(-place / (2 * sigma ** 2) - gap / (2 * color ** 2));
  }
  return heard;
}

// --- drawing ----------------------------------------------------------------------------------------------------------

const place = (asked, problem) => Math.min(asked, problem.height * problem.width - 1);
let labels = new Int32Array(pixels);

const draw = eachFrame(() => {
  const values = state.values;
  const problem = current();
  const { height, width, image, n } = problem;
  const start = performance.now();
  const result = infer(problem, values);
  const spent = performance.now() - start;
  labels = result.labels;
  const before = cheapest(problem);
  const shown = values.view === "before" ? before : labels;
  const asked = place(values.asked, problem);
  const over = values.view === "photo" ? 0 : 0.62;
  const context = paint(one("#labels"), problem, (i, data, at) => {
    const colour = COLOURS[shown[i]];
    for (let c = 0; c < 3; c++) data[at + c] = (1 - over) * image[3 * i + c] + over * colour[c];
  });
  ring(context, problem, asked);
  const heard = listening(problem, values, asked);
  const loudest = Math.max(values.weight + values.smooth, 1e-9);
  ring(paintParts(one("#listens"), problem, image, (i) => heard[i] / loudest), problem, asked);
  const pairs = Object.entries({ right: 10, left: -10 }).flatMap(([side, columns]) => {
    const inside = (asked % width) + columns >= 0 && (asked % width) + columns < width;
    const apart = Math.hypot(...[0, 1, 2].map((c) => image[3 * asked + c] - image[3 * (asked + columns) + c]));
    const cost = values.weight * Math.exp(-50 / values.sigma ** 2 - apart ** 2 / (2 * values.color ** 2));
    return [[`gap${side}`, inside ? apart.toFixed(0) : "–"], [`pair${side}`, inside ? cost.toFixed(2) : "–"]];
  });
  const moved = labels.reduce((sum, label, i) => sum + Number(label !== before[i]), 0);
  const counts = new Array(n).fill(0);
  labels.forEach((label) => (counts[label] += 1));
  live({
    ...Object.fromEntries(pairs),
    n, row: Math.floor(asked / width) + 1, column: (asked % width) + 1, moved,
    before: right(before, problem.truth).toFixed(1), after: right(labels, problem.truth).toFixed(1),
    heard: (heard.reduce((sum, h) => sum + h, 0) / loudest).toFixed(0),
    pairs: (height * width * (height * width - 1)).toLocaleString("en"), corners: (2 * 9 * height * width).toLocaleString("en"),
    vertices: result.vertices.toLocaleString("en"), milliseconds: spent.toFixed(0), counts: counts.join(" "),
    sigma: values.sigma, color: values.color, weight: values.weight, smooth: values.smooth, iterations: values.iterations,
  });
  all("#legend b").forEach((element, label) => (element.textContent = counts[label] ?? 0));
  atLine(...(values.iterations === 0 ? [0, 4] : [1, 2, 3]));
  document.documentElement.dataset.drawn = JSON.stringify(values);
  check(values);
});

function legend() {
  const names = state.get("source") === "own" ? ["first colour", "second", "third", "fourth"] : NAMES;
  one("#legend").innerHTML = names.map((name, k) => `<li><i style="background:rgb(${COLOURS[k]})"></i>${name} <b></b></li>`).join("");
}

// --- wiring -----------------------------------------------------------------------------------------------------------

// Exercises are looked at when labels have been found, not when a control has moved.
const solvedBy = [];
const check = (values) => solvedBy.forEach((look) => look(values));
exercises({ whenChanged: (look) => solvedBy.push(look) }, {
  clean: (values) => values.source === "noise" && right(labels, truth) >= 98,
  spoon: (values) => values.source !== "own" && values.color <= 30 && !labels.includes(4),
  classifier: (values) => values.source === "classifier" && right(labels, truth) >= 97,
});

state.whenChanged((values) => {
  if (values.source === "own" && !problems.own) state.values.source = "noise"; // an address brings no image along
  legend();
  draw();
});
const step = (by) => state.set({ iterations: clamp(state.get("iterations") + by, 0, 20) });
const failures = {
  blind: [{ color: 200, sigma: 20, weight: 10, smooth: 1, iterations: 10 }, "Blind to colour: whatever is near counts, so the largest label eats the others."],
  timid: [{ color: 4, sigma: 4, weight: 2, smooth: 0, iterations: 10 }, "Too timid: each pixel hears hardly anyone, and the noise stays."],
  loud: [{ color: 30, sigma: 40, weight: 20, smooth: 1, iterations: 10 }, "Too loud: far pixels shout down what is small, though it was right."],
};
const fail = (name) => () => {
  state.set({ ...failures[name][0], view: "after" });
  say(failures[name][1], "bad");
};
bind(state, { back: () => step(-1), forth: () => step(1), blind: fail("blind"), timid: fail("timid"), loud: fail("loud") });
guess("blind", (value) => {
  const answer = "One label eats the others: where all colours look alike, the larger region has more voices everywhere. Try <b>Blind to colour</b>.";
  return `${value === "one" ? "Yes." : "Not quite."} ${answer}`;
});

for (const canvas of [one("#labels"), one("#listens")]) takePointer(canvas, current, (asked, begins) => state.set({ asked }, begins));
one("#labels").addEventListener("keydown", (event) => {
  const { width, height } = current();
  const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width, ArrowUp: -width };
  if (event.key in moves) {
    const next = state.get("asked") + moves[event.key] * (event.shiftKey ? 8 : 1);
    if (next >= 0 && next < width * height) state.set({ asked: next }, false);
  } else if (event.key === "+" || event.key === "-") step(event.key === "+" ? 1 : -1);
  else return;
  event.preventDefault();
});
takeImages(one("#figure"), 256, (image) => {
  problems.own = noisy(fourColours(image));
  one("#own").hidden = false;
  state.set({ source: "own", asked: Math.floor((image.height / 2 + 0.5) * image.width) });
  state.tell();
  say("Your image, cut into its four main colours, with the same noise. It stays on this machine.", "good");
});

state.tell();
say("Drag a slider, or point at the picture. The rim of the cup and the spoon are the hard parts.");
requestAnimationFrame(() => requestAnimationFrame(ready));
