import { Kernels } from "../frame/kernels.js";
import { State, atLine, bind, carried, choice, exercises, guess, live, one, ready, say, shape, takeImages, whole } from "../frame/frame.js";
import { Board } from "./board.js";
import { Network } from "./network.js";

const FIRST = "4362278344362237722223222"; // gray values, row by row
const PITCH = 100;
const HALF = 29;
const board = new Board(5);
const [SIDE, PAIRS] = [board.side, board.pairs];
const readPushes = (text) => text.split("_").map((push) => {
  const [path, amount] = push.split("x");
  return { path: path.split(".").map(Number), amount: Number(amount) };
});

const kernels = await Kernels.load(await carried("cut"));
const state = new State({
  mode: choice("paint", "push", "draw"),
  lambda: whole(3, 0, 8),
  back: whole(1, 0, 1),
  gray: { start: [...FIRST].map(Number), ...board.digits(0, 9) },
  labels: { start: [...FIRST].map((g) => Number(g > 4)), ...board.digits(0, 1) },
  pushes: { start: [], read: readPushes, write: (pushes) => pushes.map((p) => `${p.path.join(".")}x${p.amount}`).join("_") },
  helped: whole(0, 0, 1),
});

const svg = one("#net");
let net;
let path = [];
let cursor = 12;
let pressed = null;
let keyboard = false;

const wishesOf = (gray) => gray.map((g) => 9 - 2 * g);
const x = (pixel) => 60 + PITCH * board.columnOf(pixel);
const y = (pixel) => 60 + PITCH * board.rowOf(pixel);
const where = (pixel) => `row ${board.rowOf(pixel) + 1}, column ${board.columnOf(pixel) + 1}`;

// --- drawing ----------------------------------------------------------------------------------------------------------

function draw() {
  const { gray, labels, lambda, mode } = state.values;
  const { path: way, reached } = net.search();
  const walled = !way && net.pushes.length > 0;
  const drained = path.length > 0 && net.left[path.at(-1)] < 0;
  atLine(path.length ? (drained ? 1 : 0) : walled ? 3 : net.pushes.length ? 2 : null);
  svg.replaceChildren();
  if (walled) {
    for (const pixel of reached) svg.append(shape("rect", { x: x(pixel) - 48, y: y(pixel) - 48, width: 96, height: 96, rx: 10, fill: "var(--sky)", opacity: 0.35, class: "reached" }));
  }
  for (const [a, b] of PAIRS) svg.append(shape("line", { ...ends(a, b), stroke: "var(--line)", "stroke-width": 2 + 2 * lambda }));
  for (const [a, b] of PAIRS) if (labels[a] !== labels[b]) drawBorder(a, b);
  for (const [a, b] of PAIRS) if (net.flowOf(a, b)) drawFlow(a, b, lambda);
  gray.forEach((g, pixel) => drawPixel(pixel, g, labels[pixel], mode));
  if (path.length) {
    const points = path.map((p) => `${x(p)},${y(p)}`).join(" ");
    svg.append(shape("polyline", { points, fill: "none", stroke: "var(--blue)", "stroke-width": 9, "stroke-linecap": "round", "stroke-linejoin": "round", opacity: 0.75, "pointer-events": "none" }));
  }
  if (keyboard) svg.append(shape("rect", { x: x(cursor) - 40, y: y(cursor) - 40, width: 80, height: 80, rx: 12, fill: "none", stroke: "var(--accent)", "stroke-width": 4, "stroke-dasharray": "10 6" }));
}

const ends = (a, b) => ({ x1: x(a), y1: y(a), x2: x(b), y2: y(b) });

function drawFlow(a, b, lambda) {
  const flow = net.flowOf(a, b);
  const full = Math.abs(flow) === lambda;
  const colour = full ? "var(--red)" : "var(--blue)";
  const [from, to] = flow > 0 ? [a, b] : [b, a];
  const [dx, dy] = [Math.sign(x(to) - x(from)), Math.sign(y(to) - y(from))];
  const [mx, my] = [(x(a) + x(b)) / 2, (y(a) + y(b)) / 2];
  const head = `M ${mx + 13 * dx} ${my + 13 * dy} L ${mx - 7 * dx + 9 * dy} ${my - 7 * dy + 9 * dx} L ${mx - 7 * dx - 9 * dy} ${my - 7 * dy - 9 * dx} Z`;
  const place = { x: mx + (dy ? 15 : 0), y: my + (dy ? 6 : -14), "text-anchor": dy ? "start" : "middle" };
  const type = { "font-size": 17, "font-weight": 700, stroke: "var(--panel)", "stroke-width": 5, "paint-order": "stroke" };
  svg.append(
    shape("line", { ...ends(a, b), stroke: colour, "stroke-width": 2 + 2 * Math.abs(flow), "stroke-dasharray": full ? "5 3" : null }),
    shape("path", { d: head, fill: colour, stroke: "var(--panel)", "stroke-width": 1.5 }),
    shape("text", { ...place, ...type, fill: colour }, `${Math.abs(flow)}`),
  );
}

function drawBorder(a, b) {
  const [mx, my] = [(x(a) + x(b)) / 2, (y(a) + y(b)) / 2];
  const along = b === a + 1 ? { x1: mx, y1: my - 50, x2: mx, y2: my + 50 } : { x1: mx - 50, y1: my, x2: mx + 50, y2: my };
  svg.append(shape("line", { ...along, stroke: "var(--orange)", "stroke-width": 5, "stroke-linecap": "round", class: "border" }));
}

function drawPixel(pixel, g, label, mode) {
  const left = net.left[pixel];
  const level = Math.round(30 + (g / 9) * 225);
  const ink = level > 130 ? "#14171b" : "#fff";
  const size = label ? HALF + 1 : HALF;
  const group = shape("g", { "data-pixel": pixel, style: "cursor:pointer" },
    shape("rect", { x: x(pixel) - 50, y: y(pixel) - 50, width: 100, height: 100, fill: "transparent" }),
    shape("rect", { x: x(pixel) - size, y: y(pixel) - size, width: 2 * size, height: 2 * size, rx: 9, fill: `rgb(${level} ${level} ${level})`, stroke: label ? "var(--orange)" : "var(--soft)", "stroke-width": label ? 6 : 1.5 }),
  );
  const text = mode === "draw" ? String(g) : left === 0 ? "0" : left > 0 ? `+${left}` : `−${-left}`;
  group.append(shape("text", { x: x(pixel), y: y(pixel) + 8, "text-anchor": "middle", "font-size": 23, "font-weight": 700, fill: ink, opacity: left === 0 && mode !== "draw" ? 0.55 : 1 }, text));
  svg.append(group);
}

// --- what is done -----------------------------------------------------------------------------------------------------

function act(pixel, down) {
  const { mode, gray, labels } = state.values;
  if (mode === "paint") {
    state.set({ labels: labels.with(pixel, 1 - labels[pixel]) });
  } else if (mode === "draw") {
    state.set({ gray: gray.with(pixel, (gray[pixel] + (down ? 9 : 1)) % 10), pushes: [] });
  } else {
    extend(pixel);
  }
}

// Begin the path at a pixel, or lead it on to one.
function extend(pixel) {
  const at = path.at(-1);
  if (!path.length) {
    const problem = net.problemOfStart(pixel);
    if (problem) return say(problem, "bad");
    path = [pixel];
    say(`The spring at ${where(pixel)} has ${net.left[pixel]}. Lead it to a drain, pixel by pixel.`);
  } else if (pixel === at) {
    return;
  } else if (pixel === path.at(-2)) {
    path.pop();
  } else if (path.includes(pixel)) {
    return say("The path has been here already: a circle brings no water to a drain.", "bad");
  } else {
    const problem = net.problemOfStep(at, pixel);
    if (problem) return say(problem, "bad");
    path.push(pixel);
    say(net.left[pixel] < 0 ? `A drain. Let go, or press enter, and ${net.room(path)} will flow.` : "Go on to a drain, a pixel with a −.");
  }
  draw();
}

function finish() {
  const problem = net.problem(path);
  if (problem) return say(problem, "bad");
  const amount = net.room(path);
  const done = path;
  path = [];
  state.set({ pushes: [...net.pushes, { path: done, amount }] });
  tell(`${amount} pushed.`);
}

function giveUp() {
  path = [];
  say("The path is given up.");
  draw();
}

function tell(before = "") {
  const { path: way } = net.search();
  const { energy, least } = numbers();
  if (way) return say(`${before} Your flow is ${net.flow}: no outline can cost less.`);
  if (net.flow < least) return say(`${before} Stuck at ${net.flow}: no path is left. A flow of ${least} exists, but full pipes are in its way, and nothing may be pushed back.`, "bad");
  const met = energy === net.flow;
  say(`${before} No path is left, so the flow ${net.flow} is the largest. ${met ? "Your outline costs the same: it is a minimum cut, and this is the proof." : "Label all that is shaded dark and the rest bright: that outline costs exactly as much."}`, "good");
}

function step() {
  const { path: way } = net.search();
  if (!way) return tell();
  const amount = net.room(way);
  path = [];
  state.set({ mode: "push", pushes: [...net.pushes, { path: way, amount }] });
  tell(`${amount} pushed along a shortest path.`);
}

function solve() {
  const { gray, lambda, back } = state.values;
  const { labels } = board.minimumCut(kernels, wishesOf(gray), lambda);
  const pushed = new Network(board, wishesOf(gray), lambda, Boolean(back), net.pushes);
  for (let found = pushed.search(); found.path; found = pushed.search()) pushed.push(found.path, pushed.room(found.path));
  path = [];
  state.set({ labels, pushes: pushed.pushes, helped: 1 });
  tell("Labels by the library's kernel, flow by shortest paths.");
}

function numbers() {
  const { gray, labels, lambda } = state.values;
  const { unary, edges } = board.costOf(wishesOf(gray), labels);
  const least = board.minimumCut(kernels, wishesOf(gray), lambda);
  return { unary, edges, pairwise: lambda * edges, energy: unary + lambda * edges, least: least.energy, flat: new Set(least.labels).size === 1 };
}

// --- wiring -----------------------------------------------------------------------------------------------------------

let before = {};
state.whenChanged((values) => {
  const pushes = before.lambda !== undefined && before.lambda !== values.lambda && before.pushes === values.pushes ? [] : values.pushes;
  net = new Network(board, wishesOf(values.gray), values.lambda, Boolean(values.back), pushes);
  state.values.pushes = net.pushes;
  if (values.mode !== "push") path = [];
  before = { ...values, pushes: net.pushes };
  const { unary, edges, pairwise, energy, least } = numbers();
  const rows = [...Array(SIDE).keys()].map((r) => `[${values.gray.slice(SIDE * r, SIDE * r + SIDE).join(", ")}]`);
  live({ unary, edges, pairwise, energy, flow: net.flow, gap: energy - net.flow, lambda: values.lambda, least, python: `[${rows.join(", ")}]` });
  draw();
});

bind(state, { step, solve });
guess("speck", (value) => {
  const both = "The cheapest outline overrules both: the hole costs 3 instead of its three borders, 9; the speck costs 3, its borders another 9.";
  return `${value === "both" ? "Yes." : "Not quite."} ${both} Below you can see why, and prove it.`;
});
exercises(state, {
  close: (values) => !values.helped && net.flow > 0 && numbers().energy === net.flow,
  stuck: (values) => !values.back && !net.search().path && net.flow < numbers().least,
  flat: (values) => {
    const picture = values.gray.join("") === FIRST;
    const cutAt = (lambda) => board.minimumCut(kernels, wishesOf(values.gray), lambda).labels;
    const isFlat = (labels) => new Set(labels).size === 1;
    return picture && isFlat(values.labels) && isFlat(cutAt(values.lambda)) && !isFlat(cutAt(values.lambda - 1));
  },
});

const pixelAt = (event) => {
  const target = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-pixel]");
  return target && svg.contains(target) ? Number(target.dataset.pixel) : null;
};
svg.addEventListener("pointerdown", (event) => {
  const pixel = pixelAt(event);
  if (pixel === null) return;
  keyboard = false;
  cursor = pressed = pixel;
  act(pixel, event.shiftKey);
});
svg.addEventListener("pointermove", (event) => {
  const pixel = pressed === null ? null : pixelAt(event);
  if (pixel === null || pixel === pressed) return;
  pressed = pixel;
  if (state.get("mode") !== "push") act(pixel);
  else if (path.length) extend(pixel);
});
addEventListener("pointerup", () => {
  if (pressed !== null && path.length > 1 && net.left[path.at(-1)] < 0) finish();
  pressed = null;
});
svg.addEventListener("keydown", (event) => {
  const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: SIDE, ArrowUp: -SIDE };
  const modes = { 1: "paint", 2: "push", 3: "draw" };
  if (event.key in moves) {
    const next = cursor + moves[event.key];
    if (board.neighbours(cursor).includes(next)) cursor = next;
    if (path.length) extend(cursor);
  } else if (event.key === " ") act(cursor, event.shiftKey);
  else if (event.key === "Enter" && path.length) finish();
  else if (event.key === "Escape" && path.length) giveUp();
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

takeImages(one("#figure"), 80, (image) => {
  const gray = board.graysOf(image);
  state.set({ gray, labels: gray.map((g) => Number(g > 4)), pushes: [] });
  say("Your image, as 5 × 5 gray values. It stays on this machine.", "good");
});

state.tell();
say("Click pixels to move the outline, or choose <b>Push</b> and lead water from a spring (+) to a drain (−).");
ready();
