import { State, bind, carried, choice, clamp, eachFrame, exercises, guess, live, one, ready, say, takeImages, whole } from "../frame/frame.js";
import { enlarged, SMALL, unevenness } from "./checkerboard.js";
import { MOST_LAYERS, fieldsOf, placesOf, read, write } from "./layers.js";
import { drawLook, widthOf } from "./photo.js";
import { drawRow, shade } from "./row.js";
import { SIDE, effective, look, noticed, responses, sum } from "./sight.js";

const MIDDLE = (SIDE - 1) / 2;
const NAMES = { fcn8s: "FCN-8s", unet: "U-Net", fcdensenet103: "Tiramisu (FC-DenseNet-103)", pspnet50: "PSPNet-50", deeplabv3_50: "DeepLabv3-50" };

const networks = JSON.parse(new TextDecoder().decode(await carried("networks")));
let photo = { height: 96, width: 144, colours: await carried("photo"), channels: 3 };
const disc = Float64Array.from({ length: SMALL * SMALL }, (_, i) => Number((Math.floor(i / SMALL) - 11.5) ** 2 + ((i % SMALL) - 11.5) ** 2 < 64));
let scores = disc;

const pixels = (n, start) => ({
  start,
  read: (text) => (/^(\d+(\.\d+)*)?$/.test(text) && text.length < 3000 && text.split(".").every((i) => Number(i) < n) ? text : ""),
});
const state = new State({
  stack: { start: "c3.1.1-c3.1.1-c3.1.1", read: (text) => (read(text) ? text : undefined) },
  layer: whole(0, 0, MOST_LAYERS - 1), // the one that the sliders change
  row: { start: MIDDLE, low: 0, high: SIDE - 1 }, // of the output that is asked, in pixels of the input
  column: { start: MIDDLE, low: 0, high: SIDE - 1 },
  painted: pixels(SIDE * SIDE, String(MIDDLE * SIDE + MIDDLE)),
  by: choice("t", "r"), // transposed, or resized
  window: whole(3, 1, 7),
  stride: whole(2, 2, 4),
  times: whole(2, 1, 2),
  weights: choice("random", "equal"),
  net: choice(...Object.keys(NAMES)),
  y: whole(256, 0, 511), // of the score that is asked, in the photo
  x: whole(384, 0, 767),
});
const listOf = (text) => (text ? text.split(".").map(Number) : []);

// --- drawing ----------------------------------------------------------------------------------------------------------

let view = null; // what part of the row is drawn
const narrow = matchMedia("(max-width: 560px)");
function drawPaths() {
  view = drawRow(one("#paths"), look(state.values), narrow.matches ? 400 : 800);
}

const inkOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);

function blank(canvas, n, zoom) {
  canvas.width = canvas.height = n * zoom;
  const context = canvas.getContext("2d");
  context.fillStyle = inkOf("--line");
  context.fillRect(0, 0, n * zoom, n * zoom);
  return context;
}

// What the chosen output sees, and what was painted.
function drawInput() {
  const context = blank(one("#input"), SIDE, 12);
  const { down, across, tooWide } = look(state.values);
  const painted = new Set(listOf(state.get("painted")));
  const most = tooWide ? 1 : Math.max(...down.counts, 0) * Math.max(...across.counts, 0);
  const [unseen, outside] = [inkOf("--soft"), inkOf("--paper")];
  for (let i = 0; i < SIDE * SIDE; i++) {
    const [y, x] = [Math.floor(i / SIDE), i % SIDE];
    const inside = !tooWide && y >= down.first && x >= across.first && y < down.first + down.counts.length && x < across.first + across.counts.length;
    const paths = inside ? down.counts[y - down.first] * across.counts[x - across.first] : 0;
    context.fillStyle = paths ? `rgb(${shade(Math.sqrt(paths / most))})` : inside ? unseen : outside;
    context.fillRect(x * 12, y * 12, 11, 11);
    if (painted.has(i)) {
      context.fillStyle = "#d55e00";
      context.strokeStyle = "#fff";
      context.beginPath();
      context.arc(x * 12 + 5.5, y * 12 + 5.5, 4.2, 0, 7);
      context.fill();
      context.stroke();
    }
  }
}

// Which outputs notice what was painted; the chosen one has a ring.
function drawOutput() {
  const { layers, down, across, tooWide } = look(state.values);
  if (tooWide) return blank(one("#output"), SIDE, 12);
  const { first, n, values } = responses(layers, listOf(state.get("painted")));
  const zoom = Math.max(3, Math.round((12 * SIDE) / n));
  const context = blank(one("#output"), n, zoom);
  const [most, silent] = [Math.max(1e-9, ...values), inkOf("--paper")];
  for (let i = 0; i < n * n; i++) {
    const [y, x] = [Math.floor(i / n), i % n];
    context.fillStyle = values[i] ? `rgb(${shade(Math.sqrt(values[i] / most))})` : silent;
    context.fillRect(x * zoom, y * zoom, zoom - 1, zoom - 1);
  }
  context.strokeStyle = "#d55e00";
  context.lineWidth = 3;
  context.strokeRect((across.unit - first) * zoom, (down.unit - first) * zoom, zoom - 1, zoom - 1);
}

function gray(canvas, { height, width, values }, scale) {
  Object.assign(canvas, { height, width });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < values.length; i++) {
    image.data[4 * i] = image.data[4 * i + 1] = image.data[4 * i + 2] = 25 + 170 * values[i] * scale;
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

let brush = [2, 2]; // where the keyboard paints on the scores

function drawEnlarged() {
  const { mean } = unevenness(state.values);
  const canvas = one("#scores");
  gray(canvas, { height: SMALL, width: SMALL, values: scores }, 1);
  if (document.activeElement === canvas) {
    const context = canvas.getContext("2d");
    context.fillStyle = "#d55e00";
    context.fillRect(brush[1], brush[0], 1, 1);
  }
  gray(one("#large"), enlarged(state.values, scores), mean ? 1 / mean : 0);
}

const xOf = (x) => Math.min(x, widthOf(photo) - 1);

function drawPhoto() {
  const { net, y, x } = state.values;
  drawLook(one("#photo"), photo, networks.find(({ name }) => name === net), y, xOf(x));
}

// --- what the page says -----------------------------------------------------------------------------------------------

const short = (v) => Number(v.toFixed(2));
const nameOf = ({ kind, window, stride, dilation }) => `${{ c: "", t: "up ", r: "resize " }[kind]}${window}×${window}${kind === "c" ? (stride > 1 ? ` /${stride}` : "") : ` ×${stride}`}${dilation > 1 ? `, d ${dilation}` : ""}`;
const plainNumber = (v) => Number(v.toPrecision(3)).toLocaleString("en");

function tellStack(values) {
  const { layers, across, down, tooWide, widest } = look(values);
  const chosen = Math.min(values.layer, layers.length - 1);
  const list = one("#layers");
  list.replaceChildren(...layers.map((layer, i) => {
    const button = Object.assign(document.createElement("button"), { textContent: `${i + 1}: ${nameOf(layer)}` });
    button.setAttribute("aria-pressed", String(i === chosen));
    button.addEventListener("click", () => {
      state.set({ layer: i });
      one(`#layers button:nth-child(${i + 1})`)?.focus();
    });
    return button;
  }));
  const layer = layers[chosen];
  for (const input of document.querySelectorAll("input[data-layer]")) input.value = layer[input.dataset.layer];
  for (const button of document.querySelectorAll("button[data-kind]")) button.setAttribute("aria-pressed", String(button.value === layer.kind));
  one("#dilated").hidden = layer.kind !== "c";
  one('[data-do="add"]').disabled = layers.length === MOST_LAYERS;
  one('[data-do="remove"]').disabled = layers.length === 1;
  const fields = fieldsOf(layers);
  const { step } = placesOf(layers).at(-1);
  const terms = layers.every(({ kind }) => kind === "c") ? fields.slice(1).map((f, i) => f - fields[i]) : null;
  const painted = listOf(values.painted);
  const field = tooWide ? widest : across.counts.length;
  const seen = tooWide ? null : across.counts.filter(Boolean).length * down.counts.filter(Boolean).length;
  const area = tooWide ? widest ** 2 : across.counts.length * down.counts.length;
  one("#paths-to").value = tooWide ? "" : across.counts.join(",");
  live({
    chosen: chosen + 1, window: layer.window, stride: layer.stride, dilation: layer.dilation, layers: layers.length,
    field: field.toLocaleString("en"), area: area.toLocaleString("en"), seen: seen === null ? "?" : seen.toLocaleString("en"),
    seenShare: seen === null ? "?" : area ? ((100 * seen) / area).toFixed(0) : "0", effective: tooWide ? "?" : effective(across.counts), density: step === 1 ? "one for every pixel" : step > 1 ? `one for every ${short(step)} pixels` : `${short(1 / step)} for every pixel`,
    terms: terms ? `1 + ${terms.join(" + ")} = ${fields.at(-1)}` : `at most ${fields.at(-1)}`, weights: sum(layers.map(({ window: w }) => w * w)),
     });
  one("#sees").innerHTML = sentence(values, painted);
}

function sentence(values, painted) {
  const { tooWide, widest, down, across } = look(values);
  if (tooWide) return `The field is <b>${widest.toLocaleString("en")}</b> pixels wide, more than any image here. Choose smaller strides or dilations to see paths.`;
  const field = Math.max(down.counts.length, across.counts.length);
  if (!down.counts.length || !across.counts.length) return "This output is made of nothing: the steps are wider than the windows. It stays empty whatever the picture shows.";
  const wide = field > SIDE ? ` The picture shows ${SIDE} of the ${field} columns.` : "";
  if (!painted.length) return `Paint on the left picture, and see on the right which outputs notice.${wide}`;
  const strength = noticed({ down, across }, painted);
  return `You painted ${painted.length}. The output with the ring ${strength ? `notices, on <b>${plainNumber(strength)}</b> ${strength === 1 ? "path" : "paths"}` : "<b>notices nothing</b> of it"}.${wide}`;
}

function tellEnlarged(values) {
  const { least, most } = unevenness(values);
  const even = most - least <= 1e-9 * most;
  one("#writes").value = `${least},${most}`;
  live({
    up: values.by === "t" ? "a transposed convolution" : "resizing and convolving", upWindow: values.window, upStride: values.stride, times: values.times,
    uneven: even ? "1, no pattern at all" : least > 0 ? (most / least).toFixed(2) : "∞: some get nothing", why: whyUneven(values),
  });
}

function whyUneven({ by, window, stride, weights }) {
  if (by === "r") return "Interpolation treats all pixels alike, and so does the convolution after it.";
  if (window < stride) return `A window of ${window} is narrower than a step of ${stride}, and what lies between gets nothing.`;
  if (window % stride) return `${window} is no multiple of ${stride}, so windows overlap more often at some pixels than at others.`;
  const often = `Each pixel is written equally often, as ${window} is a multiple of ${stride}`;
  return weights === "equal" ? `${often}.` : `${often}; but each of the ${stride ** 2} places of a cell has weights of its own, and training must learn to balance them.`;
}

function tellNetwork(values) {
  const network = networks.find(({ name }) => name === values.net);
  live({
    net: NAMES[values.net], build: values.net, parameters: network.parameters.toLocaleString("en"), convolutions: network.layers,
    netField: network.field ? `${network.field} pixels` : "the whole image", half: network.half, netY: values.y, netX: xOf(values.x),
  });
}

// --- wiring -----------------------------------------------------------------------------------------------------------

// Parts of the page, each done again only when what it depends on has changed.
const parts = [
  { names: ["stack", "column"], tell: () => {}, draw: drawPaths },
  { names: ["stack", "layer", "row", "column", "painted"], tell: tellStack, draw: () => [drawInput(), drawOutput()] },
  { names: ["by", "window", "stride", "times", "weights"], tell: tellEnlarged, draw: drawEnlarged },
  { names: ["net", "y", "x"], tell: tellNetwork, draw: drawPhoto },
].map((part) => ({ ...part, drawSoon: eachFrame(part.draw) }));
const drawAll = () => parts.forEach(({ drawSoon }) => drawSoon());
let before = {};
state.whenChanged((values) => {
  for (const { names, tell, drawSoon } of parts) {
    if (names.every((name) => values[name] === before[name])) continue;
    tell(values);
    drawSoon();
  }
  before = values;
});

const change = (changes, step = true) => {
  const layers = read(state.get("stack"));
  const chosen = Math.min(state.get("layer"), layers.length - 1);
  const layer = { ...layers[chosen], ...changes };
  if (layer.kind !== "c") layer.dilation = 1;
  state.set({ stack: write(layers.with(chosen, layer)) }, step);
};
for (const input of document.querySelectorAll("input[data-layer]")) {
  let dragging = false;
  input.addEventListener("input", () => {
    change({ [input.dataset.layer]: Number(input.value) }, !dragging);
    dragging = true;
  });
  input.addEventListener("change", () => (dragging = false));
}
for (const button of document.querySelectorAll("button[data-kind]")) {
  button.addEventListener("click", () => change({ kind: button.value, ...(button.value === "c" ? {} : { stride: Math.max(2, look(state.values).layers[Math.min(state.get("layer"), look(state.values).layers.length - 1)].stride) }) }));
}
const preset = (stack, words, kind = "") => () => {
  state.set({ stack, layer: 0 });
  say(words, kind);
};
bind(state, {
  reset: () => {
    scores = disc;
    state.reset();
    drawScores();
  },
  add: () => {
    const layers = [...read(state.get("stack")), { kind: "c", window: 3, stride: 1, dilation: 1 }];
    state.set({ stack: write(layers), layer: layers.length - 1 });
  },
  remove: () => {
    const layers = read(state.get("stack"));
    const chosen = Math.min(state.get("layer"), layers.length - 1);
    state.set({ stack: write(layers.toSpliced(chosen, 1)), layer: Math.max(0, chosen - 1) });
  },
  clean: () => state.set({ painted: "" }),
  plain: preset("c3.1.1-c3.1.1-c3.1.1", "Three plain windows of 3: each adds one pixel on each side."),
  gridding: preset("c3.1.2-c3.1.2-c3.1.2", "Gridding: with dilations 2, 2, 2 three of four pixels are never seen.", "bad"),
  rising: preset("c3.1.1-c3.1.2-c3.1.5", "Dilations 1, 2, 5: a wider field with as many weights, and no holes.", "good"),
  strided: preset("c3.1.1-c2.2.1-c3.1.1-c2.2.1-c3.1.1", "Two poolings by 2: windows afterwards step over 4 pixels, but only every fourth output is left."),
  around: preset("c3.1.1-c2.2.1-c3.1.1-t2.2.1-c3.1.1", "Down and up again: as many outputs as inputs, yet neighbours in one cell see the same from below."),
});
guess("holes", (value) => `${value === "49" ? "Yes" : "No"}: 49 of 169. Each layer looks two pixels to either side and never at the pixel between; so does the next. Press <b>2, 2, 2</b> to see the holes.`);
exercises(state, {
  fifteen: (values) => {
    const { layers, across, down, tooWide } = look(values);
    return !tooWide && layers.length === 3 && layers.every(({ kind, window, stride }) => kind === "c" && window === 3 && stride === 1) && across.counts.length === 15 && across.counts.every(Boolean) && down.counts.every(Boolean);
  },
  blind: (values) => {
    const { across, down, tooWide } = look(values);
    const painted = listOf(values.painted);
    if (tooWide || painted.length < 5) return false;
    const inside = (at, { first, counts }) => at >= first && at < first + counts.length;
    return painted.every((i) => inside(Math.floor(i / SIDE), down) && inside(i % SIDE, across)) && noticed({ down, across }, painted) === 0;
  },
  even: (values) => {
    const { least, most } = unevenness(values);
    return values.by === "t" && values.stride === 3 && values.window > 3 && values.weights === "equal" && most - least <= 1e-9 * most;
  },
});

const pixelOn = (canvas, event, n) => {
  const box = canvas.getBoundingClientRect();
  const at = (place, from, size) => clamp(Math.floor(((place - from) / size) * n), 0, n - 1);
  return [at(event.clientY, box.y, box.height), at(event.clientX, box.x, box.width)];
};
let erasing = false;
function paintAt(i, begins) {
  const painted = new Set(listOf(state.get("painted")));
  if (begins) erasing = painted.has(i);
  if (erasing) painted.delete(i);
  else if (painted.size < 200) painted.add(i);
  state.set({ painted: [...painted].join(".") }, begins);
}
const input = one("#input");
const paint = (event, begins) => {
  const [y, x] = pixelOn(input, event, SIDE);
  paintAt(y * SIDE + x, begins);
};
input.addEventListener("pointerdown", (event) => paint(event, true));
input.addEventListener("pointermove", (event) => event.buttons && paint(event, false));
one("#paths").addEventListener("pointerdown", (event) => {
  if (!view) return;
  const box = event.currentTarget.getBoundingClientRect();
  const part = (((event.clientX - box.x) / box.width) * view.width - view.left) / (view.right - view.left);
  state.set({ column: within(view.center + (2 * part - 1) * view.reach) });
});
const output = one("#output");
const within = (place) => clamp(Math.round(1000 * place) / 1000, 0, SIDE - 1);
const ask = (event, begins) => {
  const { layers, tooWide } = look(state.values);
  if (tooWide) return;
  const { first, n, step, start } = responses(layers, []);
  const [row, column] = pixelOn(output, event, n).map((i) => within(start + step * (first + i)));
  state.set({ row, column }, begins);
};
output.addEventListener("pointerdown", (event) => ask(event, true));
output.addEventListener("pointermove", (event) => event.buttons && ask(event, false));
const ARROWS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
for (const canvas of [input, output]) {
  canvas.addEventListener("keydown", (event) => {
    const { row, column, stack } = state.values;
    if (event.key in ARROWS) {
      const by = canvas === input ? 1 : placesOf(read(stack)).at(-1).step;
      const [dy, dx] = ARROWS[event.key];
      state.set({ row: within(row + by * dy), column: within(column + by * dx) });
    } else if (event.key === " ") paintAt(Math.round(row) * SIDE + Math.round(column), true);
    else return;
    event.preventDefault();
  });
}
const small = one("#scores");
const drawScores = eachFrame(drawEnlarged);
const brighten = (y, x) => {
  scores = scores.with(y * SMALL + x, 1);
  drawScores();
};
small.addEventListener("pointerdown", (event) => brighten(...pixelOn(small, event, SMALL)));
small.addEventListener("pointermove", (event) => event.buttons && brighten(...pixelOn(small, event, SMALL)));
small.addEventListener("keydown", (event) => {
  if (event.key in ARROWS) brush = brush.map((at, axis) => clamp(at + ARROWS[event.key][axis], 0, SMALL - 1));
  else if (event.key === " ") brighten(...brush);
  else return;
  event.preventDefault();
  drawScores();
});
for (const kind of ["focus", "blur"]) small.addEventListener(kind, drawScores);

const canvas = one("#photo");
const point = (event, begins) => {
  const box = canvas.getBoundingClientRect();
  const at = (place, from, size, n) => clamp(Math.round(((place - from) / size) * n), 0, n - 1);
  state.set({ y: at(event.clientY, box.y, box.height, 512), x: Math.min(767, at(event.clientX, box.x, box.width, widthOf(photo))) }, begins);
};
canvas.addEventListener("pointerdown", (event) => point(event, true));
canvas.addEventListener("pointermove", (event) => event.buttons && point(event, false));
canvas.addEventListener("keydown", (event) => {
  if (!(event.key in ARROWS)) return;
  const [dy, dx] = ARROWS[event.key];
  state.set({ y: clamp(state.get("y") + 8 * dy, 0, 511), x: clamp(xOf(state.get("x")) + 8 * dx, 0, Math.min(767, widthOf(photo) - 1)) });
  event.preventDefault();
});
takeImages(one("#own"), 192, ({ width, height, data }) => {
  photo = { height, width, colours: data, channels: 4 };
  scores = Float64Array.from({ length: SMALL * SMALL }, (_, i) => {
    const at = 4 * (Math.floor(((Math.floor(i / SMALL) + 0.5) * height) / SMALL) * width + Math.floor((((i % SMALL) + 0.5) * width) / SMALL));
    return (0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2]) / 255;
  });
  state.set({ y: 256, x: Math.min(767, Math.round(widthOf(photo) / 2)) });
  drawAll();
  say(`Your image, ${width} × ${height} pixels, is now what networks look at and what is enlarged. It stays on this machine.`, "good");
});

for (const query of [narrow, matchMedia("(prefers-color-scheme: dark)")]) query.addEventListener("change", drawAll);
state.tell();
say("Choose layers, and click an output: lines lead to all that it sees.");
requestAnimationFrame(() => requestAnimationFrame(ready));
