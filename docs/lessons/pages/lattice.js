import { Kernels } from "../frame/kernels.js";
import { State, all, bind, carried, choice, clamp, eachFrame, exercises, guess, live, one, ready, say, shape, takeImages, whole } from "../frame/frame.js";

const N = 40; // points
const STEP = [30, 31, 29, 26, 28, 25, 30, 37, 28, 27, 32, 32, 31, 25, 30, 33, 23, 28, 20, 24, 61, 69, 64, 71, 71, 69, 57, 67, 70, 71, 62, 68, 65, 66, 75, 66, 70, 74, 67, 69];
const SPARSE = [62, 8, 91, 35, 74, 19, 50, 97, 3, 44, 80, 27, 66, 12, 88, 55, 31, 94, 21, 70, 5, 47, 84, 15, 60, 99, 38, 76, 10, 52, 90, 29, 68, 1, 42, 86, 17, 57, 95, 24];
const NAMES = ["points", "splat", "blur, 1st axis", "blur, 2nd axis", "blur, 3rd axis", "slice"];
const LOW = [58, 155, 214]; // colours of small and of large values
const HIGH = [224, 138, 30];
const WIDTH = 144; // of the photo
const SAMPLE = 60; // pixels that are compared with the exact Gaussian

const kernels = await Kernels.load(await carried("lattice"));
const bytes = await carried("photo");
const photos = { photo: { width: WIDTH, height: bytes.length / 3 / WIDTH, image: bytes } };
const state = new State({
  near: { start: 4, low: 0.5, high: 20 },
  alike: { start: 12, low: 2, high: 60 },
  step: whole(0, 0, 5),
  who: choice("all", "one"),
  asked: whole(13, 0, N - 1),
  values: {
    start: STEP,
    read: (text) => {
      const values = (text.match(/\d\d/g) ?? []).map(Number);
      return values.length === N ? values : undefined;
    },
    write: (values) => values.map((v) => String(v).padStart(2, "0")).join(""),
  },
  view: choice("filtered", "photo"),
  by: choice("lattice", "exact", "difference"),
  sigma: { start: 12, low: 2, high: 60 },
  color: { start: 20, low: 4, high: 120 },
  pixel: whole(44 * WIDTH + 43, 0, 1e6),
});

// --- a row of values --------------------------------------------------------------------------------------------------

// Filter the values, a one at each point, and a one at the point that is asked.
function filterRow({ values, near, alike, asked }) {
  const features = Float32Array.from([...values.map((_, i) => Math.fround(i) / Math.fround(near)), ...values.map((v) => Math.fround(v) / Math.fround(alike))]);
  const given = Float32Array.from([...values.map((v) => v / 100), ...values.map(() => 1), ...values.map((_, i) => Number(i === asked))]);
  const [simplex, weight, position] = [new Int32Array(3 * N), new Float32Array(3 * N), new Int32Array(6 * N)];
  const [neighbour, rows, out] = [new Int32Array(18 * N), new Float32Array(36 * N), new Float32Array(3 * N)];
  const n = kernels.call("steps", N, 3, features, given, simplex, weight, position, neighbour, rows, out);
  const vertices = Array.from({ length: n }, (_, v) => {
    const [second, first] = [(position[2 * v] + position[2 * v + 1]) / 2, position[2 * v]]; // c0 = s0 + s1, c2 = -2 s1
    return { place: ((first - second) / scaleOf(0)) * near, value: (second / scaleOf(1)) * alike };
  });
  const at = (step, v) => Array.from(rows.subarray(3 * (step * n + v), 3 * (step * n + v) + 3));
  return { n, simplex, weight, vertices, neighbour, at, position, out };
}

const scaleOf = (feature) => (3 * Math.sqrt(2 / 3)) / Math.sqrt((feature + 1) * (feature + 2));

// By visiting all pairs.
function exactRow({ values, near, alike, asked }) {
  const kernel = (i, j) => Math.exp(-(((i - j) / near) ** 2 + ((values[i] - values[j]) / alike) ** 2) / 2);
  const sums = values.map((_, i) => values.reduce((sum, _, j) => sum + kernel(i, j), 0));
  const smooth = values.map((_, i) => values.reduce((sum, v, j) => sum + kernel(i, j) * v, 0) / sums[i]);
  return { sums, smooth, heard: values.map((_, i) => kernel(i, asked)) };
}

const deviation = (values) => {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
};

// --- drawing it -------------------------------------------------------------------------------------------------------

const narrow = matchMedia("(max-width: 560px)");
const HEIGHT = 430;
const PAD = 22;
const across = () => (narrow.matches ? 400 : 760);
const x = (place) => PAD + (place * (across() - 2 * PAD)) / (N - 1);
const y = (value) => HEIGHT - PAD - (value * (HEIGHT - 2 * PAD)) / 100;
const mixed = (value) => {
  const part = clamp((value - 35) / 30, 0, 1);
  return `rgb(${LOW.map((low, c) => Math.round(low + part * (HIGH[c] - low)))})`;
};
const line = (points, attributes) => shape("polyline", { points: points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" "), fill: "none", ...attributes });

// The lines on which triangles lie: where the difference of two coordinates of the lattice is a multiple of 3.
function drawTriangles(svg, { near, alike }) {
  const toPlane = (s0, s1) => [x((s0 / scaleOf(0)) * near), y((s1 / scaleOf(1)) * alike)];
  const far = [((N + 2) / near) * scaleOf(0), (102 / alike) * scaleOf(1)]; // what is seen, in scaled features
  // c0 = s0 + s1, c1 = s1 - s0, c2 = -2 s1: differences 2 s0, s0 + 3 s1 and 3 s1 - s0
  const path = [];
  const add = (a, b) => path.push(`M${toPlane(...a).map((v) => v.toFixed(1))}L${toPlane(...b).map((v) => v.toFixed(1))}`);
  const reach = far[0] + 3 * far[1];
  for (let m = -Math.ceil(far[0] / 3) - 1; m <= Math.ceil(reach / 3) + 1; m++) {
    if (3 * m <= 2 * far[0] && m >= -1) add([(3 * m) / 2, -1], [(3 * m) / 2, far[1]]);
    add([-1, (3 * m + 1) / 3], [far[0], (3 * m - far[0]) / 3]);
    add([-1, (3 * m - 1) / 3], [far[0], (3 * m + far[0]) / 3]);
  }
  svg.append(shape("path", { d: path.join(""), stroke: "var(--line)", "stroke-width": 1, fill: "none", "clip-path": "url(#inside)" }));
}

function drawPlane(values, row, exact) {
  const { step, who, asked, near, alike } = values;
  const svg = one("#plane");
  svg.setAttribute("viewBox", `0 0 ${across()} ${HEIGHT}`);
  svg.replaceChildren(shape("clipPath", { id: "inside" }, shape("rect", { x: 0, y: 0, width: across(), height: HEIGHT })), shape("rect", { x: 0, y: 0, width: across(), height: HEIGHT, fill: "var(--paper)" }));
  drawTriangles(svg, values);
  const spot = (v) => [x(row.vertices[v].place), y(row.vertices[v].value)];
  const own = [...row.simplex.subarray(3 * asked, 3 * asked + 3)];
  const side = Math.min((x(near) - x(0)), y(0) - y(alike));
  if (step >= 2 && step <= 4) drawAxis(svg, row, step - 2, spot);
  svg.append(shape("polygon", { points: own.map((v) => spot(v).map((c) => c.toFixed(1)).join()).join(" "), fill: "var(--accent)", "fill-opacity": 0.13, stroke: "var(--accent)", "stroke-width": 2 }));
  for (let v = 0; v < row.n && step > 0 && step < 5; v++) {
    const [value, one, heard] = row.at(step - 1, v);
    const mass = who === "one" ? heard : one;
    if (mass < 1e-4) continue;
    const radius = Math.min(who === "one" ? 19 * Math.sqrt(mass) : 7 * Math.sqrt(mass), Math.max(5, 0.47 * side));
    const [cx, cy] = spot(v);
    svg.append(shape("circle", { cx, cy, r: radius.toFixed(1), fill: mixed((100 * value) / one), "fill-opacity": 0.85, stroke: "var(--paper)", "stroke-width": 1, class: "vertex", "data-vertex": v }));
    if (who === "one" && side > 34) label(svg, cx, cy + 4, mass.toFixed(2));
  }
  if (step === 0) own.forEach((v, r) => label(svg, spot(v)[0], spot(v)[1] - 4, row.weight[3 * asked + r].toFixed(2)));
  if (step === 5) {
    svg.append(line(exact.smooth.map((v, i) => [x(i), y(v)]), { stroke: "var(--ink)", "stroke-width": 5, "stroke-dasharray": "2 7", "stroke-linecap": "round", "stroke-opacity": 0.7 }));
    svg.append(line(values.values.map((_, i) => [x(i), y((100 * row.out[i]) / row.out[N + i])]), { stroke: "var(--accent)", "stroke-width": 3.5, id: "smooth" }));
  }
  values.values.forEach((value, i) => {
    if (i === asked) svg.append(shape("circle", { cx: x(i), cy: y(value), r: 10, fill: "none", stroke: "var(--ink)", "stroke-width": 2.5 }));
    svg.append(shape("circle", { cx: x(i), cy: y(value), r: i === asked ? 6 : 4.5, fill: mixed(value), stroke: "var(--ink)", "stroke-width": 1.2, "fill-opacity": who === "one" && i !== asked ? 0.35 : 1, class: "point" }));
  });
}

function label(svg, cx, cy, text) {
  svg.append(shape("text", { x: cx, y: cy, "text-anchor": "middle", "font-size": 13, "font-weight": 700, fill: "var(--ink)", stroke: "var(--paper)", "stroke-width": 3.5, "paint-order": "stroke" }, text));
}

// What a blur along one axis joins; and where a neighbour is missing.
function drawAxis(svg, row, axis, spot) {
  const [joined, gaps] = [[], []];
  const along = [0, 1, 2].map((c) => (c === axis ? 2 : -1)); // the step of that axis, in coordinates of the lattice
  for (let v = 0; v < row.n; v++) {
    for (const side of [0, 1]) {
      const other = row.neighbour[2 * (axis * row.n + v) + side];
      const [px, py] = spot(v);
      if (other > v) joined.push(`M${px.toFixed(1)} ${py.toFixed(1)}L${spot(other).map((c) => c.toFixed(1)).join(" ")}`);
      if (other >= 0) continue;
      const sign = side === 0 ? 1 : -1;
      const [c0, c1] = [row.position[2 * v] + sign * along[0], row.position[2 * v + 1] + sign * along[1]];
      const second = (c0 + c1) / 2;
      gaps.push([x(((c0 - second) / scaleOf(0)) * state.get("near")), y((second / scaleOf(1)) * state.get("alike"))]);
    }
  }
  svg.append(shape("path", { d: joined.join(""), stroke: "var(--accent)", "stroke-width": 4, "stroke-opacity": 0.6, "stroke-linecap": "round" }));
  for (const [cx, cy] of gaps) svg.append(shape("circle", { cx, cy, r: 4, fill: "none", stroke: "var(--red)", "stroke-width": 1.5, "stroke-dasharray": "3 2", class: "gap" }));
}

function drawHeard({ asked, values }, row, exact) {
  const svg = one("#heard");
  const [high, bottom] = [84, 106];
  svg.setAttribute("viewBox", `0 0 ${across()} 130`);
  svg.replaceChildren(shape("line", { x1: PAD, x2: across() - PAD, y1: bottom, y2: bottom, stroke: "var(--line)" }));
  const top = Math.max(1, ...row.out.subarray(2 * N));
  const wide = (0.62 * (across() - 2 * PAD)) / N;
  values.forEach((value, i) => {
    const height = Math.max(0, (row.out[2 * N + i] / top) * high);
    svg.append(shape("rect", { x: x(i) - wide / 2, y: bottom - height, width: wide, height, fill: mixed(value), class: "bar-heard" }));
  });
  svg.append(line(exact.heard.map((h, i) => [x(i), bottom - (h / top) * high]), { stroke: "var(--ink)", "stroke-width": 1.8, "stroke-dasharray": "5 4" }));
  svg.append(shape("path", { d: `M${x(asked)} ${bottom + 4}l6 10h-12z`, fill: "var(--ink)" }), shape("text", { x: x(asked) + (asked > N - 14 ? -12 : 12), y: bottom + 16, "text-anchor": asked > N - 14 ? "end" : "start", "font-size": 13, fill: "var(--soft)" }, "the ringed point"));
}

let measured = {};
function drawRow(values) {
  const [row, exact] = [filterRow(values), exactRow(values)];
  const smooth = values.values.map((_, i) => (100 * row.out[i]) / row.out[N + i]);
  const errors = smooth.map((v, i) => Math.abs(v - exact.smooth[i]));
  const axes = values.step >= 2 && values.step <= 4 ? [values.step - 2] : [0, 1, 2];
  const ends = axes.flatMap((axis) => [...row.neighbour.subarray(2 * axis * row.n, 2 * (axis + 1) * row.n)]);
  measured = {
    through: (100 * exact.sums.reduce((sum, s, i) => sum + row.out[N + i] / s, 0)) / N,
    noise: Math.max(deviation(smooth.slice(0, N / 2)), deviation(smooth.slice(N / 2))),
    height: smooth[N / 2] - smooth[N / 2 - 1],
  };
  drawPlane(values, row, exact);
  drawHeard(values, row, exact);
  live({
    n: N, pairs: (N * N).toLocaleString("en"), vertices: row.n, sums: 6 * N + 6 * row.n, asked: values.asked + 1, near: values.near, alike: values.alike, name: `${values.step}: ${NAMES[values.step]}`,
    error: (errors.reduce((sum, e) => sum + e, 0) / N).toFixed(2), worst: Math.max(...errors).toFixed(2), missing: ((100 * ends.filter((e) => e < 0).length) / ends.length).toFixed(0),
    through: measured.through.toFixed(0), noise: measured.noise.toFixed(2), height: measured.height.toFixed(1),
    ...Object.fromEntries([0, 1, 2].map((r) => [`w${r}`, row.weight[3 * values.asked + r].toFixed(2)])),
  });
  all("[data-line]").forEach((code) => code.classList.toggle("now", Number(code.dataset.line) === values.step));
  one("#plane").dataset.smooth = smooth.map((v) => v.toFixed(6)).join(" ");
}

// --- a photo ----------------------------------------------------------------------------------------------------------

const shown = () => photos.own ?? photos.photo;
const placeOf = (pixel) => Math.min(pixel, shown().width * shown().height - 1);

function filterPhoto({ width, height, image }, { sigma, color }, pixel) {
  const n = width * height;
  const [values, out] = [new Float32Array(5 * n), new Float32Array(5 * n)];
  for (let i = 0; i < n; i++) for (let c = 0; c < 3; c++) values[c * n + i] = image[3 * i + c] / 255;
  values.fill(1, 3 * n, 4 * n);
  values[4 * n + pixel] = 1;
  const start = performance.now();
  const vertices = kernels.call("bilateral", height, width, image, sigma, color, values, out);
  return { vertices, out, spent: performance.now() - start };
}

// How loud one pixel is heard by another, exactly.
function exactly({ width, image }, { sigma, color }, i, j) {
  const place = (Math.floor(i / width) - Math.floor(j / width)) ** 2 + ((i % width) - (j % width)) ** 2;
  let gap = 0;
  for (let c = 0; c < 3; c++) gap += (image[3 * i + c] - image[3 * j + c]) ** 2;
  return Math.exp(-place / (2 * sigma ** 2) - gap / (2 * color ** 2));
}

function paint(canvas, { height, width }, colourOf) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const out = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) out.data.set([...colourOf(i), 255], 4 * i);
  context.putImageData(out, 0, 0);
  return context;
}

function ring(context, { width }, pixel) {
  for (const [colour, wide] of [["#000", 2], ["#fff", 1]]) {
    context.strokeStyle = colour;
    context.lineWidth = wide;
    context.beginPath();
    context.arc((pixel % width) + 0.5, Math.floor(pixel / width) + 0.5, 4, 0, 2 * Math.PI);
    context.stroke();
  }
}

let photo = null; // what was computed last
let wrong = null; // of which this is the error
let later = 0;

function drawPhoto(values) {
  const { view, by } = values;
  const picture = shown();
  const { image, width, height } = picture;
  const [n, pixel] = [width * height, placeOf(values.pixel)];
  photo = filterPhoto(picture, values, pixel);
  const { out, vertices, spent } = photo;
  ring(paint(one("#photo"), picture, (i) => [0, 1, 2].map((c) => (view === "photo" ? image[3 * i + c] : (255 * out[c * n + i]) / out[3 * n + i]))), picture, pixel);
  const gray = (i) => 0.16 * (image[3 * i] + image[3 * i + 1] + image[3 * i + 2]) / 3;
  ring(paint(one("#listens"), picture, (i) => {
    const [mine, true_] = [out[4 * n + i], by === "lattice" ? 0 : exactly(picture, values, i, pixel)];
    const part = Math.sqrt(clamp(by === "lattice" ? mine : by === "exact" ? true_ : Math.abs(mine - true_), 0, 1));
    return [gray(i) + part * 240, gray(i) + part * 200, gray(i) + part * 60];
  }), picture, pixel);
  live({
    pixels: n.toLocaleString("en"), allpairs: (n * n).toLocaleString("en"), corners: vertices.toLocaleString("en"), perpixel: (n / vertices).toFixed(1),
    milliseconds: spent.toFixed(0), sigma: values.sigma, color: values.color,
  });
  wrong = null;
  clearTimeout(later);
  later = setTimeout(compare, 150, picture, values); // not while a slider is dragged
}

// Compare some pixels with the exact Gaussian.
function compare(picture, values) {
  const n = picture.width * picture.height;
  let total = 0;
  for (let k = 0; k < SAMPLE; k++) {
    const i = Math.floor(((k + 0.5) * n) / SAMPLE + 37 * k) % n;
    const sums = [0, 0, 0, 0];
    for (let j = 0; j < n; j++) {
      const weight = exactly(picture, values, i, j);
      for (let c = 0; c < 3; c++) sums[c] += weight * picture.image[3 * j + c];
      sums[3] += weight;
    }
    for (let c = 0; c < 3; c++) total += Math.abs((255 * photo.out[c * n + i]) / photo.out[3 * n + i] - sums[c] / sums[3]) / 3;
  }
  wrong = total / SAMPLE;
  live({ wrong: wrong.toFixed(2) });
  document.documentElement.dataset.compared = JSON.stringify([values.sigma, values.color]);
  check(state.values);
}

// --- wiring -----------------------------------------------------------------------------------------------------------

const ofPhoto = ({ view, by, sigma, color, pixel }) => [view, by, sigma, color, pixel, shown()];
let [before, beforePhoto] = [null, []];
const draw = eachFrame(() => {
  const values = state.values;
  const photoNow = ofPhoto(values);
  if (photoNow.some((value, k) => value !== beforePhoto[k])) drawPhoto(values);
  beforePhoto = photoNow;
  if (values !== before) drawRow(values);
  before = values;
  check(values);
});
state.whenChanged(draw);

const solvedBy = [];
const check = (values) => solvedBy.forEach((look) => look(values));
exercises({ whenChanged: (look) => solvedBy.push(look) }, {
  edge: ({ values }) => values.join() === STEP.join() && measured.noise < 0.5 && measured.height >= 38,
  lost: ({ values }) => values.join() === SPARSE.join() && measured.through >= 90,
  few: () => wrong !== null && wrong <= 1.2 && photo.out.length / 5 / photo.vertices >= 15 && shown() === photos.photo,
});

const SAID = [
  "Forty values over their places. The triangle around the ringed point holds it; the numbers say how near each corner is.",
  "Splat: every value has gone to its three corners. A large circle holds many shares, its colour is their mean value.",
  "Blur along the first axis: each corner adds half of both neighbours. Dashed red: nobody is there, so nothing comes from there.",
  "Blur along the second axis.",
  "Blur along the third axis: now every corner has heard what lies within some two σ.",
  "Slice: every point reads its three corners again and divides. Solid: the lattice. Dotted: the exact Gaussian.",
];
const go = (by) => {
  const step = clamp(state.get("step") + by, 0, 5);
  state.set({ step });
  say(SAID[step]);
};
bind(state, {
  back: () => go(-1),
  forth: () => go(1),
  step: () => {
    state.set({ values: STEP, near: 4, alike: 12, step: 5 });
    say("A step with noise: smoothed on both sides, and still a step.", "good");
  },
  sparse: () => {
    state.set({ values: SPARSE, near: 3, alike: 8, step: 2 });
    say("Values that jump about: half of the neighbours are missing, see the dashed red circles, and much of what should be heard does not arrive.", "bad");
  },
  alone: () => {
    state.set({ values: STEP, near: 0.5, alike: 2, step: 1 });
    say("A tiny σ: nearly every point has three corners of its own. More corners than points, and nothing to win.", "bad");
  },
  thin: () => {
    state.set({ sigma: 2, color: 4 });
    say("Small σ: several corners for every pixel. The lattice costs more than it saves, and most neighbours are missing.", "bad", one("#photos"));
  },
});
one("input[data-state=step]").addEventListener("input", () => say(SAID[state.get("step")]));
guess("wider", (value) => {
  const now = filterRow(state.values).n;
  const then = filterRow({ ...state.values, near: 2 * state.get("near"), alike: 2 * state.get("alike") }).n;
  const truth = then < now ? "fewer" : then > now ? "more" : "same";
  return `${value === truth ? "Yes." : "No."} With σ twice as large, ${then} instead of ${now}: the triangles grow with σ. The further one listens, the less it costs, the opposite of visiting all.`;
});

// The row: choose a point, drag it up or down.
const plane = one("#plane");
plane.style.cursor = "ns-resize";
const seen = (event) => {
  const box = plane.getBoundingClientRect();
  const [px, py] = [((event.clientX - box.x) / box.width) * across(), ((event.clientY - box.y) / box.height) * HEIGHT];
  const value = Math.round(clamp(((HEIGHT - PAD - py) * 100) / (HEIGHT - 2 * PAD), 0, 99));
  return { point: Math.round(clamp(((px - PAD) * (N - 1)) / (across() - 2 * PAD), 0, N - 1)), value };
};
let held = null; // where a drag began
plane.addEventListener("pointerdown", (event) => {
  const { point, value } = seen(event);
  held = { point, value, moved: false, offset: state.get("values")[point] - value };
  if (event.isTrusted) plane.setPointerCapture(event.pointerId);
  state.set({ asked: point });
});
plane.addEventListener("pointermove", (event) => {
  if (!held || !event.buttons) return;
  const { value } = seen(event);
  if (!held.moved && Math.abs(value - held.value) < 2) return;
  const near = Math.abs(held.offset) < 12 ? held.offset : 0; // a point that is held far from itself comes to the finger
  state.set({ values: state.get("values").with(held.point, clamp(value + near, 0, 99)) }, !held.moved);
  held.moved = true;
});
plane.addEventListener("pointerup", () => (held = null));
plane.addEventListener("pointercancel", () => (held = null));
plane.addEventListener("keydown", (event) => {
  const { asked, values } = state.values;
  const sideways = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const upwards = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (sideways) state.set({ asked: clamp(asked + sideways, 0, N - 1) }, false);
  else if (upwards) state.set({ values: values.with(asked, clamp(values[asked] + upwards * (event.shiftKey ? 10 : 2), 0, 99)) });
  else if (event.key === "+" || event.key === "-") go(event.key === "+" ? 1 : -1);
  else return;
  event.preventDefault();
});
narrow.addEventListener("change", () => drawRow(state.values));

// The photo: point at a pixel.
const ask = (canvas, event, begins) => {
  const box = canvas.getBoundingClientRect();
  const { width, height } = shown();
  const px = clamp(Math.floor(((event.clientX - box.x) / box.width) * width), 0, width - 1);
  const py = clamp(Math.floor(((event.clientY - box.y) / box.height) * height), 0, height - 1);
  state.set({ pixel: py * width + px }, begins);
};
for (const canvas of [one("#photo"), one("#listens")]) {
  canvas.style.cursor = "crosshair";
  canvas.addEventListener("pointerdown", (event) => ask(canvas, event, true));
  canvas.addEventListener("pointermove", (event) => event.buttons && ask(canvas, event, false));
}
one("#photo").addEventListener("keydown", (event) => {
  const { width, height } = shown();
  const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width, ArrowUp: -width }[event.key];
  if (!move) return;
  const next = placeOf(state.get("pixel")) + move * (event.shiftKey ? 8 : 1);
  if (next >= 0 && next < width * height) state.set({ pixel: next }, false);
  event.preventDefault();
});
takeImages(one("#photos"), 256, ({ width, height, data }) => {
  const image = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) for (let c = 0; c < 3; c++) image[3 * i + c] = data[4 * i + c];
  photos.own = { width, height, image };
  state.set({ pixel: Math.floor((height / 2 + 0.5) * width) });
  state.tell();
  say("Your image. It stays on this machine.", "good", one("#photos"));
});

state.tell();
say(SAID[state.get("step")]);
say("Drag a slider, or point at the picture: the porcelain hears the porcelain.", "", one("#photos"));
requestAnimationFrame(() => requestAnimationFrame(ready));
