import { Kernels } from "../frame/kernels.js";
import { State, bind, carried, choice, exercises, guess, live, one, ready, say, shape, whole } from "../frame/frame.js";
import { Board } from "./board.js";

const FIRST = "323323277332333278232787328748237878"; // gray values, row by row
const PAIR = [7, 8]; // two bright pixels in the dark
const PITCH = 96;
const HALF = 34;

const kernels = await Kernels.load(await carried("cut"));
const board = new Board(6);
const TERMS = board.n + board.pairs.length;
const wishOf = (g) => 9 - 2 * g;
const state = new State({
  mode: choice("label", "draw"),
  lambda: whole(2, 0, 8),
  gray: { start: [...FIRST].map(Number), ...board.digits(0, 9) },
  labels: { start: [...FIRST].map((g) => Number(g > 4)), ...board.digits(0, 1) },
  term: whole(TERMS, 0, TERMS),
  helped: whole(0, 0, 1),
});

const svg = one("#board");
let cursor = 14;
let keyboard = false;
const x = (pixel) => 60 + PITCH * board.columnOf(pixel);
const y = (pixel) => 60 + PITCH * board.rowOf(pixel);
const where = (pixel) => `row ${board.rowOf(pixel) + 1}, column ${board.columnOf(pixel) + 1}`;

// --- the bill ---------------------------------------------------------------------------------------------------------

const ownCost = (g, label) => Math.max(0, label ? wishOf(g) : -wishOf(g));

// How the bill changes if one pixel alone changes its label.
function changeAt(pixel, { gray, labels, lambda }) {
  const own = ownCost(gray[pixel], 1 - labels[pixel]) - ownCost(gray[pixel], labels[pixel]);
  const others = board.neighbours(pixel).map((other) => (labels[other] === labels[pixel] ? lambda : -lambda));
  return own + others.reduce((sum, v) => sum + v, 0);
}

// All items of the bill in order: pixels, then pairs.
function items({ gray, labels, lambda }) {
  const pixels = board.pixels.map((p) => ({ at: [p], cost: ownCost(gray[p], labels[p]), text: `The pixel in ${where(p)} is ${labels[p] ? "bright" : "dark"}` }));
  const pairs = board.pairs.map(([a, b]) => ({ at: [a, b], cost: labels[a] === labels[b] ? 0 : lambda, text: `The pixels in ${where(a)} and ${where(b)} ${labels[a] === labels[b] ? "agree" : "disagree"}` }));
  return [...pixels, ...pairs];
}

const best = (values) => {
  const changes = board.pixels.map((p) => changeAt(p, values));
  const least = Math.min(...changes);
  return { least, pixel: changes.indexOf(least), helping: changes.filter((c) => c < 0).length };
};

const cut = ({ gray, lambda }) => board.minimumCut(kernels, gray.map(wishOf), lambda);
const energyOf = (values) => items(values).reduce((sum, item) => sum + item.cost, 0);

function downhill(values) {
  let now = { ...values, labels: values.gray.map((g) => Number(g > 4)) };
  for (let found = best(now); found.least < 0; found = best(now)) now = { ...now, labels: now.labels.with(found.pixel, 1 - now.labels[found.pixel]) };
  return energyOf(now);
}

// --- drawing ----------------------------------------------------------------------------------------------------------

function draw() {
  const { gray, labels, lambda, mode, term } = state.values;
  svg.replaceChildren();
  for (const [a, b] of board.pairs) svg.append(shape("line", { x1: x(a), y1: y(a), x2: x(b), y2: y(b), stroke: "var(--line)", "stroke-width": 2 + 1.5 * lambda }));
  for (const [a, b] of board.pairs) {
    if (labels[a] === labels[b]) continue;
    const [mx, my] = [(x(a) + x(b)) / 2, (y(a) + y(b)) / 2];
    const reach = PITCH / 2;
    const along = b === a + 1 ? { x1: mx, y1: my - reach, x2: mx, y2: my + reach } : { x1: mx - reach, y1: my, x2: mx + reach, y2: my };
    svg.append(shape("line", { ...along, stroke: "var(--orange)", "stroke-width": 5, "stroke-linecap": "round", class: "border" }));
  }
  board.pixels.forEach((pixel) => drawPixel(pixel, gray[pixel], labels[pixel], mode));
  const item = items(state.values)[term - 1];
  if (item && term < TERMS) {
    const [a, b] = [item.at[0], item.at.at(-1)];
    svg.append(shape("rect", { x: x(a) - 44, y: y(a) - 44, width: x(b) - x(a) + 88, height: y(b) - y(a) + 88, rx: 16, fill: "none", stroke: "var(--purple)", "stroke-width": 7, class: "item", "pointer-events": "none" }));
  }
  if (keyboard) svg.append(shape("rect", { x: x(cursor) - 42, y: y(cursor) - 42, width: 84, height: 84, rx: 12, fill: "none", stroke: "var(--accent)", "stroke-width": 4, "stroke-dasharray": "10 6", "pointer-events": "none" }));
}

function drawPixel(pixel, g, label, mode) {
  const level = Math.round(30 + (g / 9) * 225);
  const ink = level > 130 ? "#14171b" : "#fff";
  const change = changeAt(pixel, state.values);
  const size = label ? HALF : HALF - 1;
  const text = (dy, content, attributes) => shape("text", { x: x(pixel), y: y(pixel) + dy, "text-anchor": "middle", ...attributes }, content);
  const sign = (v) => (v > 0 ? `+${v}` : v < 0 ? `−${-v}` : "0");
  const group = shape("g", { "data-pixel": pixel, style: "cursor:pointer" },
    shape("rect", { x: x(pixel) - PITCH / 2, y: y(pixel) - PITCH / 2, width: PITCH, height: PITCH, fill: "transparent" }),
    shape("rect", { x: x(pixel) - size, y: y(pixel) - size, width: 2 * size, height: 2 * size, rx: 9, fill: `rgb(${level} ${level} ${level})`, stroke: label ? "var(--orange)" : "var(--soft)", "stroke-width": label ? 6 : 1.5 }),
    text(mode === "draw" ? 9 : 1, String(g), { "font-size": mode === "draw" ? 27 : 23, "font-weight": 700, fill: ink }),
  );
  if (mode !== "draw") {
    const saves = change < 0;
    if (saves) group.append(shape("rect", { x: x(pixel) - 21, y: y(pixel) + 6, width: 42, height: 22, rx: 7, fill: "#00734f" }));
    group.append(text(23, sign(change), { "font-size": 17, "font-weight": saves ? 700 : 400, fill: saves ? "#fff" : ink }));
  }
  svg.append(group);
}

// --- what is done -----------------------------------------------------------------------------------------------------

function act(pixel, down) {
  const { mode, gray, labels } = state.values;
  if (mode === "draw") {
    state.set({ gray: gray.with(pixel, (gray[pixel] + (down ? 9 : 1)) % 10) });
    return say("A click raises a gray by one, and 9 becomes 0; with Shift it falls.");
  }
  const change = changeAt(pixel, state.values);
  state.set({ labels: labels.with(pixel, 1 - labels[pixel]), term: TERMS });
  say(change < 0 ? `That saved ${-change}.` : change > 0 ? `That cost ${change} more. Sometimes one has to climb first.` : "That changed nothing in the sum.", change < 0 ? "good" : "");
}

function flip() {
  const { least, pixel } = best(state.values);
  const energy = energyOf(state.values);
  const { energy: cheapest } = cut(state.values);
  if (least >= 0) {
    const end = energy > cheapest ? `No single change helps, yet ${energy} is not the least: ${cheapest} is. This is a local minimum.` : `No single change helps, and ${energy} is the least there is.`;
    return say(end, energy > cheapest ? "bad" : "good");
  }
  state.set({ labels: state.get("labels").with(pixel, 1 - state.get("labels")[pixel]), term: TERMS });
  say(`The pixel in ${where(pixel)} saved ${-least}.`, "good");
}

function minimise() {
  const { labels, energy } = cut(state.values);
  state.set({ labels, term: TERMS, helped: 1 });
  say(`Found by a <a href="cut.html">minimum cut</a>: no labelling costs less than ${energy}.`, "good");
}

// --- wiring -----------------------------------------------------------------------------------------------------------

state.whenChanged((values) => {
  const bill = items(values);
  const { unary, edges } = board.costOf(values.gray.map(wishOf), values.labels);
  const item = bill[values.term - 1];
  one("#item").textContent = values.term === 0 ? "Nothing has been added yet." : values.term === TERMS ? "All items are in the sum." : `${item.text}: ${item.cost}.`;
  const side = board.side;
  const nested = (list) => `[${[...Array(side).keys()].map((r) => `[${list.slice(side * r, side * r + side).join(", ")}]`).join(", ")}]`;
  const beside = board.pairs.filter(([a, b]) => b === a + 1 && values.labels[a] !== values.labels[b]).length;
  live({
    right: beside * values.lambda, down: (edges - beside) * values.lambda,
    unary, edges, pairwise: edges * values.lambda, energy: energyOf(values), least: cut(values).energy, lambda: values.lambda, icm: downhill(values),
    term: values.term, terms: TERMS, sum: bill.slice(0, values.term).reduce((sum, { cost }) => sum + cost, 0), helping: best(values).helping, python: nested(values.gray), given: nested(values.labels),
  });
  draw();
});
bind(state, { flip, minimise });
guess("flips", (value) => {
  const start = { gray: [...FIRST].map(Number), labels: [...FIRST].map((g) => Number(g > 4)), lambda: 2 };
  const { helping } = best(start);
  return `${Number(value) === helping ? "Yes" : "No"}: ${helping}. The hole in the object is cheap to fill. The pair at the top would be cheaper gone, but not one pixel at a time.`;
});
const isFirst = (values) => values.gray.join("") === FIRST;
exercises(state, {
  hand: (values) => isFirst(values) && values.lambda === 2 && !values.helped && energyOf(values) === cut(values).energy,
  local: (values) => best(values).least >= 0 && energyOf(values) > cut(values).energy,
  survive: (values) => {
    const changed = values.gray.filter((g, pixel) => g !== Number(FIRST[pixel])).length;
    return changed === 1 && values.lambda === 2 && PAIR.every((p) => values.labels[p]) && energyOf(values) === cut(values).energy;
  },
});

svg.addEventListener("pointerdown", (event) => {
  const target = event.target.closest("[data-pixel]");
  if (!target) return;
  keyboard = false;
  cursor = Number(target.dataset.pixel);
  act(cursor, event.shiftKey);
});
svg.addEventListener("keydown", (event) => {
  const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: board.side, ArrowUp: -board.side };
  const modes = { 1: "label", 2: "draw" };
  if (event.key in moves) {
    const next = cursor + moves[event.key];
    if (board.neighbours(cursor).includes(next)) cursor = next;
  } else if (event.key === " ") act(cursor, event.shiftKey);
  else if (event.key in modes) state.set({ mode: modes[event.key] }, false);
  else return;
  event.preventDefault();
  keyboard = true;
  draw();
});
svg.addEventListener("blur", () => {
  keyboard = false;
  draw();
});

state.tell();
say("Click a pixel to change its label. Numbers on green would save something.");
ready();
