import { State, bind, carried, choice, clamp, eachFrame, exercises, guess, live, one, ready, say, shape, takeImages, whole } from "../frame/frame.js";
import { KINDS, MOST_LAYERS, enlarge, fieldsOf, pathsTo, placesOf, range, read, sources, write } from "./layers.js";

const SIDE = 33; // pixels of the input that are shown
const WIDEST = 1500; // field of which each path is followed
const SMALL = 24; // side of the picture that is enlarged
const [PHOTO_HEIGHT, PHOTO_WIDTH] = [96, 144];
const MIDDLE = (SIDE - 1) / 2;
const NAMES = { fcn8s: "FCN-8s", unet: "U-Net", fcdensenet103: "Tiramisu (FC-DenseNet-103)", pspnet50: "PSPNet-50", deeplabv3_50: "DeepLabv3-50" };

const networks = JSON.parse(new TextDecoder().decode(await carried("networks")));
let photo = await (async () => {
  return { height: PHOTO_HEIGHT, width: PHOTO_WIDTH, colours: await carried("photo"), channels: 3 };
})();
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

// --- computing --------------------------------------------------------------------------------------------------------

const sum = (values) => values.reduce((total, v) => total + v, 0);

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
function effective(counts) {
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
function look({ stack, row, column }) {
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
function responses(layers, painted) {
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

const noticed = ({ down, across }, painted) => sum(painted.map((i) => (down.levels[0].get(Math.floor(i / SIDE)) ?? 0) * (across.levels[0].get(i % SIDE) ?? 0)));

// Weights of a window: all the same, or random, the same at each visit.
function weightsOf({ window, weights }, layer) {
  let a = 40503 * (layer + 1);
  const next = () => {
    a = Math.imul(a ^ (a >>> 15), 2246822519) + 374761393;
    a ^= a >>> 13;
    return (a >>> 0) / 2 ** 32;
  };
  return range(window * window).map(() => (weights === "equal" ? 1 : next()));
}

function enlarged(values, input) {
  const layer = { kind: values.by, window: values.window, stride: values.stride };
  let made = { height: SMALL, width: SMALL, values: input };
  for (let i = 0; i < values.times; i++) made = enlarge(made, layer, weightsOf(values, i));
  return made;
}

// The middle of a picture, away from its border.
function inner({ height, values }) {
  const edge = Math.floor(height / 3);
  return range(height - 2 * edge).flatMap((y) => [...values.slice((y + edge) * height + edge, (y + edge) * height + height - edge)]);
}

let plain = {};
function unevenness(values) {
  const key = [values.by, values.window, values.stride, values.times, values.weights].join(" ");
  if (plain.key !== key) {
    const middle = inner(enlarged(values, new Float64Array(SMALL * SMALL).fill(1)));
    const [least, most] = [Math.min(...middle), Math.max(...middle)];
    plain = { key, least, most, mean: sum(middle) / middle.length };
  }
  return plain;
}

// --- drawing ----------------------------------------------------------------------------------------------------------

const text = (x, y, content, more = {}) => shape("text", { x, y, "font-size": 15, fill: "var(--soft)", ...more }, content);

// From dark blue over gray to yellow (cividis), for 0 to 1.
function shade(part) {
  const [low, middle, high] = [[0, 34, 78], [124, 123, 120], [254, 232, 56]];
  const [a, b, t] = part < 0.5 ? [low, middle, 2 * part] : [middle, high, 2 * part - 1];
  return a.map((v, c) => Math.round(v + t * (b[c] - v)));
}

let view = null; // what part of the row is drawn
const narrow = matchMedia("(max-width: 560px)");
function drawPaths() {
  const svg = one("#paths");
  const { layers, across, tooWide, widest } = look(state.values);
  const width = narrow.matches ? 400 : 800;
  const [top, gap, left, right] = [34, 62, 8, width - 8];
  svg.setAttribute("viewBox", `0 0 ${width} ${top + gap * layers.length + 20}`);
  svg.replaceChildren();
  if (tooWide) return svg.append(text(width / 2, 90, `${widest.toLocaleString("en")} pixels: too wide to follow each path`, { "text-anchor": "middle", "font-size": 18 }));
  const places = placesOf(layers);
  const center = places.at(-1).start + places.at(-1).step * across.unit;
  const reach = Math.max(9.5, 0.56 * across.counts.length);
  view = { center, reach, left, right, width };
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

const CELL = 8;
const CELLS = 64;
const cellsOf = (network) => (network.shades ??= Uint8Array.from(atob(network.cells), (c) => c.charCodeAt(0)));

function drawPhoto() {
  const { net, y, x } = state.values;
  const network = networks.find(({ name }) => name === net);
  const shades = cellsOf(network);
  const canvas = one("#photo");
  const [height, width] = [256, Math.round((256 * photo.width) / photo.height)];
  Object.assign(canvas, { height, width });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const sized = 512 / height; // pixels of what the network gets for one of the canvas
  const columns = range(width).map((u) => [Math.floor((u * photo.width) / width), Math.floor((u * sized - xOf(x)) / CELL) + CELLS / 2]);
  for (let v = 0; v < height; v++) {
    const row = Math.floor((v * photo.height) / height) * photo.width;
    const cellRow = Math.floor((v * sized - y) / CELL) + CELLS / 2;
    for (let u = 0; u < width; u++) {
      const [column, cell] = columns[u];
      const isNear = cellRow >= 0 && cell >= 0 && cellRow < CELLS && cell < CELLS;
      const light = 0.13 + 0.87 * ((isNear ? shades[cellRow * CELLS + cell] : 0) / 255);
      const at = photo.channels * (row + column);
      for (let c = 0; c < 3; c++) image.data[4 * (v * width + u) + c] = photo.colours[at + c] * light;
      image.data[4 * (v * width + u) + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  const frame = (side, colour, dash) => {
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.setLineDash(dash);
    context.strokeRect((xOf(x) - side / 2) / sized, (y - side / 2) / sized, side / sized, side / sized);
  };
  if (network.field) frame(network.field, "#56b4e9", [6, 4]);
  frame(Math.max(network.half, 6), "#f0e442", []);
}

// Columns of the photo as the network gets it, 512 pixels high.
const widthOf = () => Math.round((512 * photo.width) / photo.height);
const xOf = (x) => Math.min(x, widthOf() - 1);

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
  const weights = sum(layers.map(({ window }) => window));
  const painted = listOf(values.painted);
  const field = tooWide ? widest : across.counts.length;
  const seen = tooWide ? null : across.counts.filter(Boolean).length * down.counts.filter(Boolean).length;
  const area = tooWide ? widest ** 2 : across.counts.length * down.counts.length;
  one("#paths-to").value = tooWide ? "" : across.counts.join(",");
  live({
    chosen: chosen + 1, kindName: KINDS[layer.kind], window: layer.window, stride: layer.stride, dilation: layer.dilation, layers: layers.length,
    field: field.toLocaleString("en"), area: area.toLocaleString("en"), seen: seen === null ? "?" : seen.toLocaleString("en"),
    seenShare: seen === null ? "?" : area ? ((100 * seen) / area).toFixed(0) : "0", effective: tooWide ? "?" : effective(across.counts), density: step === 1 ? "one for every pixel" : step > 1 ? `one for every ${short(step)} pixels` : `${short(1 / step)} for every pixel`,
    terms: terms ? `1 + ${terms.join(" + ")} = ${fields.at(-1)}` : `at most ${fields.at(-1)}`, weights: sum(layers.map(({ window: w }) => w * w)), rows: weights,
    painted: painted.length, strength: tooWide ? "?" : plainNumber(noticed({ down, across }, painted)),
  });
  one("#sees").innerHTML = sentence(values, painted);
}

function sentence(values, painted) {
  const { tooWide, widest, down, across } = look(values);
  if (tooWide) return `The field is <b>${widest.toLocaleString("en")}</b> pixels wide, more than any image here. Choose smaller strides or dilations to see paths.`;
  const field = Math.max(down.counts.length, across.counts.length);
  if (!down.counts.length || !across.counts.length) return "This output is made of nothing: the steps are wider than the windows. It stays empty whatever the picture shows.";
  const wide = field > SIDE ? ` The picture shows the middle ${SIDE} of ${field} columns.` : "";
  if (!painted.length) return `Paint on the left picture, and see on the right which outputs notice.${wide}`;
  const strength = noticed({ down, across }, painted);
  return `You painted ${painted.length}. The output with the ring ${strength ? `notices, on <b>${plainNumber(strength)}</b> paths` : "<b>notices nothing</b> of it"}.${wide}`;
}

function tellEnlarged(values) {
  const { least, most } = unevenness(values);
  const even = most - least <= 1e-9 * most;
  const apart = values.by === "t" && values.window % values.stride;
  one("#writes").value = `${least},${most}`;
  live({
    up: values.by === "t" ? "a transposed convolution" : "resizing and convolving", upWindow: values.window, upStride: values.stride, times: values.times,
    uneven: even ? "1, no pattern at all" : least > 0 ? (most / least).toFixed(2) : "∞: some get nothing",
    why: values.by === "r" ? "Interpolation treats all pixels alike, and so does the convolution after it." : values.window < values.stride ? `A window of ${values.window} is narrower than a step of ${values.stride}, and what lies between gets nothing.` : apart ? `${values.window} is no multiple of ${values.stride}, so windows overlap more often at some pixels than at others.` : values.weights === "equal" ? `${values.window} is a multiple of ${values.stride}: each pixel is written equally often.` : `Each pixel is written equally often, as ${values.window} is a multiple of ${values.stride}; but each of the ${values.stride ** 2} places of a cell has weights of its own, and training must learn to balance them.`,
  });
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
  state.set({ y: at(event.clientY, box.y, box.height, 512), x: Math.min(767, at(event.clientX, box.x, box.width, widthOf())) }, begins);
};
canvas.addEventListener("pointerdown", (event) => point(event, true));
canvas.addEventListener("pointermove", (event) => event.buttons && point(event, false));
canvas.addEventListener("keydown", (event) => {
  if (!(event.key in ARROWS)) return;
  const [dy, dx] = ARROWS[event.key];
  state.set({ y: clamp(state.get("y") + 8 * dy, 0, 511), x: clamp(xOf(state.get("x")) + 8 * dx, 0, Math.min(767, widthOf() - 1)) });
  event.preventDefault();
});
takeImages(one("#own"), 192, ({ width, height, data }) => {
  photo = { height, width, colours: data, channels: 4 };
  scores = Float64Array.from({ length: SMALL * SMALL }, (_, i) => {
    const at = 4 * (Math.floor(((Math.floor(i / SMALL) + 0.5) * height) / SMALL) * width + Math.floor((((i % SMALL) + 0.5) * width) / SMALL));
    return (0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2]) / 255;
  });
  state.set({ y: 256, x: Math.min(767, Math.round(widthOf() / 2)) });
  drawAll();
  say(`Your image, ${width} × ${height} pixels, is now what networks look at and what is enlarged. It stays on this machine.`, "good");
});

for (const query of [narrow, matchMedia("(prefers-color-scheme: dark)")]) query.addEventListener("change", drawAll);
state.tell();
say("Choose layers, and click an output: lines lead to all that it sees.");
requestAnimationFrame(() => requestAnimationFrame(ready));
