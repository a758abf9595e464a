import { Kernels } from "../frame/kernels.js";
import { State, atLine, bind, carried, choice, clamp, eachFrame, exercises, guess, live, motionIsWelcome, one, ready, say, takeImages, whole } from "../frame/frame.js";

const SIDE = 64;
const SMALL = "2223333522283335228833332888333377786333766663337666655376667555"; // gray values from 0 to 9
const END = 9999;
const PREDICATES = {
  std: { code: 3, name: "StdDev", question: "a standard deviation of" },
  mean: { code: 4, name: "MeanDifference", question: "means of the parts that differ by" },
  range: { code: 2, name: "Range", question: "a difference between the brightest and the darkest pixel of" },
};

const kernels = await Kernels.load(await carried("regions"));
const pictures = {
  cup: { height: SIDE, width: SIDE, gray: await carried("gray") },
  small: { height: 8, width: 8, gray: Uint8Array.from(SMALL, (digit) => 28 * digit) },
};
const state = new State({
  source: choice("cup", "small", "own"),
  view: choice("mean", "colours", "photo"),
  predicate: choice("std", "mean", "range"),
  limit: whole(16, 2, 160),
  stop: whole(0, 0, 4),
  level: whole(110, 0, 255),
  step: whole(END, 0, END),
  asked: whole(20 * SIDE + 29, 0, SIDE * SIDE - 1),
});

let picture = pictures.cup;
const topOf = ({ height, width }) => Math.ceil(Math.log2(Math.max(height, width))); // the level of the root

// --- computing --------------------------------------------------------------------------------------------------------

// Split and merge down to squares of 2 ** stop pixels.
function segment(stop) {
  const { height, width, gray } = picture;
  const n = height * width;
  const { predicate, limit } = state.values;
  const [leaves, blocks, log, count] = [new Int32Array(n), new Int32Array(4 * n), new Int32Array(2 * n), new Int32Array(1)];
  const found = kernels.call("split_and_merge", height, width, gray, PREDICATES[predicate].code, limit, limit, topOf(picture), stop, leaves, blocks, log, count);
  return { leaves, blocks, log, n: found, merges: count[0] };
}

// The region of each pixel after some steps: depths of the tree first, then merges.
function regionsAt(step, full, depths) {
  if (step < depths) return segment(topOf(picture) - step).leaves;
  const parent = Array.from({ length: full.n }, (_, i) => i);
  for (let i = 0; i < step - depths; i++) parent[full.log[2 * i + 1]] = full.log[2 * i];
  const root = (i) => {
    while (parent[i] !== i) i = parent[i];
    return i;
  };
  const roots = parent.map((_, i) => root(i));
  return full.leaves.map((leaf) => roots[leaf]);
}

// Numbers about every region: pixels, mean, standard deviation, range.
function measure(regions) {
  const measures = new Map();
  regions.forEach((region, i) => {
    const value = picture.gray[i];
    const m = measures.get(region) ?? { n: 0, sum: 0, squares: 0, low: 255, high: 0 };
    m.n += 1;
    m.sum += value;
    m.squares += value * value;
    m.low = Math.min(m.low, value);
    m.high = Math.max(m.high, value);
    measures.set(region, m);
  });
  return measures;
}

const meanOf = (m) => m.sum / m.n;
const stdOf = (m) => Math.sqrt(Math.max(0, m.squares / m.n - meanOf(m) ** 2));

function answer(a, b) {
  const { predicate } = state.values;
  if (predicate === "mean") return Math.abs(meanOf(a) - meanOf(b));
  if (predicate === "range") return Math.max(a.high, b.high) - Math.min(a.low, b.low);
  return stdOf({ n: a.n + b.n, sum: a.sum + b.sum, squares: a.squares + b.squares });
}

function around(i) {
  const { height, width } = picture;
  const [y, x] = [Math.floor(i / width), i % width];
  return [[y, x + 1], [y, x - 1], [y + 1, x], [y - 1, x]].filter(([v, u]) => v >= 0 && u >= 0 && v < height && u < width).map(([v, u]) => v * width + u);
}

// How many connected pieces a threshold leaves.
function piecesAt(level) {
  const { gray } = picture;
  const seen = new Uint8Array(gray.length);
  let pieces = 0;
  for (let start = 0; start < gray.length; start++) {
    if (seen[start]) continue;
    pieces += 1;
    seen[start] = 1;
    const waiting = [start];
    while (waiting.length) {
      const i = waiting.pop();
      for (const j of around(i)) {
        if (seen[j] || gray[i] > level !== gray[j] > level) continue;
        seen[j] = 1;
        waiting.push(j);
      }
    }
  }
  return pieces;
}

// --- drawing ----------------------------------------------------------------------------------------------------------

const ACROSS = 512; // canvas pixels of the picture, so that outlines are thin
const zoomOf = ({ height, width }) => Math.floor(ACROSS / Math.max(height, width));

function paint(canvas, colourOf) {
  const { height, width } = picture;
  const zoom = zoomOf(picture);
  Object.assign(canvas, { width: width * zoom, height: height * zoom });
  const context = canvas.getContext("2d");
  for (let i = 0; i < width * height; i++) {
    context.fillStyle = colourOf(i);
    context.fillRect((i % width) * zoom, Math.floor(i / width) * zoom, zoom, zoom);
  }
  return context;
}

// Lines between neighbours that are apart.
function outline(context, areApart, colour, thick) {
  const { height, width } = picture;
  const zoom = zoomOf(picture);
  context.fillStyle = colour;
  for (let i = 0; i < width * height; i++) {
    const [y, x] = [Math.floor(i / width), i % width];
    if (x + 1 < width && areApart(i, i + 1)) context.fillRect((x + 1) * zoom - thick / 2, y * zoom - thick / 2, thick, zoom + thick);
    if (y + 1 < height && areApart(i, i + width)) context.fillRect(x * zoom - thick / 2, (y + 1) * zoom - thick / 2, zoom + thick, thick);
  }
}

// The gray value in every pixel, where there is room.
function writeGrays(context) {
  const zoom = zoomOf(picture);
  Object.assign(context, { font: `600 ${Math.round(0.36 * zoom)}px sans-serif`, textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 4, strokeStyle: "#000a", fillStyle: "#fff" });
  picture.gray.forEach((gray, i) => {
    const at = [(0.5 + (i % picture.width)) * zoom, (0.5 + Math.floor(i / picture.width)) * zoom];
    context.strokeText(gray, ...at);
    context.fillText(gray, ...at);
  });
}

// A colour for each region that its neighbours hardly share: steps of the golden angle, three lightnesses.
const colourOfRegion = (region) => `hsl(${(region * 137.5) % 360} 55% ${40 + ((region * 7) % 3) * 14}%)`;

let shown = { regions: new Int32Array(0), measures: new Map(), total: 0, depths: 0, full: null };

const draw = eachFrame(() => {
  const values = state.values;
  const { gray } = picture;
  const full = segment(values.stop);
  const depths = Math.max(0, topOf(picture) - values.stop);
  const total = depths + full.merges;
  const step = Math.min(values.step, total);
  const regions = regionsAt(step, full, depths);
  const measures = measure(regions);
  shown = { regions, measures, total, depths, full };
  const asked = Math.min(values.asked, gray.length - 1);
  const context = paint(one("#regions"), (i) => {
    if (values.view === "colours") return colourOfRegion(regions[i]);
    const level = values.view === "photo" ? gray[i] : Math.round(meanOf(measures.get(regions[i])));
    return `rgb(${level} ${level} ${level})`;
  });
  outline(context, (i, j) => regions[i] !== regions[j], values.view === "colours" ? "#0008" : "#ffb000", 1.5);
  outline(context, (i, j) => regions[i] !== regions[j] && (regions[i] === regions[asked] || regions[j] === regions[asked]), "#00a2ff", 4);
  if (picture === pictures.small) writeGrays(context);
  paint(one("#threshold"), (i) => (gray[i] > values.level ? "#f4f0e6" : "#1f2a36"));
  const { name, question } = PREDICATES[values.predicate];
  one("#asked").innerHTML = about(regions[asked]);
  const slider = one("input[data-state=step]");
  slider.max = total;
  slider.value = step;
  live({
    level: values.level, pieces: piecesAt(values.level), blocks: full.n, regions: full.n - full.merges, limit: values.limit, side: 2 ** values.stop, question, name,
    step, steps: total, merges: Math.max(0, step - depths), allmerges: full.merges, now: measures.size,
    phase: step < depths ? `split ${step} times over` : step === depths ? "all squares" : `${step - depths} merges`,
  });
  atLine(...(step === 0 ? [0] : step <= depths ? [1, 2] : step < total ? [3, 4] : [5]));
  check(values);
});

function about(region) {
  const { measures, regions } = shown;
  const own = measures.get(region);
  const beside = new Set();
  regions.forEach((r, i) => r === region && around(i).forEach((j) => regions[j] !== region && beside.add(regions[j])));
  const answers = [...beside].map((other) => answer(own, measures.get(other)));
  const text = `This region has <b>${own.n}</b> pixels, gray ${meanOf(own).toFixed(0)} ± ${stdOf(own).toFixed(0)}, from ${own.low} to ${own.high}.`;
  if (!answers.length) return `${text} It has no neighbours.`;
  const least = Math.min(...answers);
  const { limit } = state.values;
  return `${text} With the best of its ${answers.length} neighbours the answer would be <b>${least.toFixed(1)}</b>, ${least > limit ? "more" : "not more"} than ${limit}.`;
}

// --- wiring -----------------------------------------------------------------------------------------------------------

const solvedBy = [];
const check = (values) => solvedBy.forEach((look) => look(values));
const ended = (values) => Math.min(values.step, shown.total) === shown.total;
exercises({ whenChanged: (look) => solvedBy.push(look) }, {
  rim: (values) => picture === pictures.cup && values.level >= 100 && values.level <= 235 && piecesAt(values.level) <= 5,
  dozen: (values) => picture === pictures.cup && values.stop === 0 && ended(values) && shown.measures.size >= 8 && shown.measures.size <= 12,
  blocky: (values) => picture === pictures.cup && values.stop >= 3 && ended(values) && shown.measures.size < 10,
});

let before = state.values;
state.whenChanged((values) => {
  picture = pictures[values.source] ?? pictures.cup; // an address brings no image along
  const other = ["source", "predicate", "limit", "stop"].some((name) => values[name] !== before[name]);
  if (other && values.step === before.step) state.values.step = END; // a new segmentation is shown finished
  before = state.values;
  draw();
});
const stepBy = (by) => state.set({ step: clamp(Math.min(state.get("step"), shown.total) + by, 0, shown.total) });

let playing = 0;
function play() {
  cancelAnimationFrame(playing);
  if (!motionIsWelcome()) return state.set({ step: END });
  const started = performance.now();
  state.set({ step: 0 });
  const tick = (now) => {
    const done = Math.min(1, (now - started) / 6000);
    const depths = Math.min(shown.depths, Math.floor(done * 2 * (shown.depths + 1)));
    const step = done < 0.5 ? depths : shown.depths + Math.round((2 * done - 1) * shown.full.merges);
    state.set({ step: done === 1 ? END : step }, false);
    if (done < 1) playing = requestAnimationFrame(tick);
  };
  playing = requestAnimationFrame(tick);
}
addEventListener("pointerdown", () => cancelAnimationFrame(playing));

const show = (changes, text) => () => {
  state.set({ step: END, ...changes });
  say(text, "bad");
};
bind(state, {
  back: () => stepBy(-1),
  forth: () => stepBy(1),
  play,
  crumbs: show({ predicate: "range", limit: 12, stop: 0 }, "Too strict: hardly any two pixels of the wood may be together."),
  soup: show({ predicate: "std", limit: 45, stop: 0 }, "Too loose: cup, saucer and table run into each other."),
  blocky: show({ predicate: "std", limit: 24, stop: 3 }, "Blocky: squares of 8 pixels cannot follow a rim."),
});
guess("threshold", (value) => `${value === "no" ? "No, indeed." : "Move it and see: no."} The saucer is as dark as the shadows and as bright as the table; whatever the threshold, one of them crumbles.`);

const canvas = one("#regions");
canvas.style.cursor = "crosshair";
const ask = (event, begins) => {
  const box = canvas.getBoundingClientRect();
  const { width, height } = picture;
  const x = clamp(Math.floor(((event.clientX - box.x) / box.width) * width), 0, width - 1);
  const y = clamp(Math.floor(((event.clientY - box.y) / box.height) * height), 0, height - 1);
  state.set({ asked: y * width + x }, begins);
};
canvas.addEventListener("pointerdown", (event) => ask(event, true));
canvas.addEventListener("pointermove", (event) => event.buttons && ask(event, false));
canvas.addEventListener("keydown", (event) => {
  const { width, height } = picture;
  const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width, ArrowUp: -width };
  if (event.key in moves) state.set({ asked: clamp(state.get("asked") + moves[event.key], 0, width * height - 1) }, false);
  else if (event.key === "+" || event.key === "-") stepBy(event.key === "+" ? 1 : -1);
  else return;
  event.preventDefault();
});
takeImages(one("#figure"), SIDE, ({ width, height, data }) => {
  const gray = Uint8Array.from({ length: width * height }, (_, i) => Math.round(0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]));
  pictures.own = { width, height, gray };
  state.set({ source: "own", step: END, asked: Math.floor((height / 2 + 0.5) * width), level: 128 });
  state.tell();
  say(`Your image in gray, ${width} × ${height} pixels. It stays on this machine.`, "good");
});

state.tell();
say("Press <b>Play</b>, step through splits and merges, or point at a region.");
requestAnimationFrame(() => requestAnimationFrame(ready));
