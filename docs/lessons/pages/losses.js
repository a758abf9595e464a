import { State, bind, choice, clamp, eachFrame, exercises, guess, live, motionIsWelcome, one, ready, say, shape, whole } from "../frame/frame.js";
import { cost, rightly } from "./formulas.js";
import { DARK, LAST, N, RATE, SIDE, STEPS, bestOf, curveOf, favouritesOf, lossAt, lossOf, pathOf, pictureOf, pulls, scoreAt, scoreOfTwo, twoGroups } from "./threshold.js";

const MOST = 5000; // pixels of the object
const NAMES = { ce: "cross-entropy", focal: "focal loss", dice: "Dice", tversky: "Tversky" };

const decimal = (start, low, high) => ({ start, low, high });
const state = new State({
  loss: choice(...Object.keys(NAMES)),
  gamma: decimal(2, 0, 10),
  alpha: decimal(0.3, 0, 1),
  weight: whole(1, 1, 100),
  pixels: whole(300, 1, MOST), // of the object
  back: whole(800, 1, 999), // thousandths: probability of the right label on the background
  object: whole(300, 1, 999), // and on the object
  start: whole(115, 0, LAST),
  step: whole(0, 0, STEPS),
});

// --- drawing ----------------------------------------------------------------------------------------------------------

const text = (x, y, content, more = {}) => shape("text", { x, y, "font-size": 17, fill: "var(--soft)", ...more }, content);
const line = (points, more) => shape("polyline", { points: points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "), fill: "none", "stroke-width": 4, "stroke-linejoin": "round", ...more });
const SIDES = { back: { ink: "var(--blue)", name: "background" }, object: { ink: "var(--orange)", name: "object" } };
const PLOT = { left: 58, right: 585, top: 20, bottom: 380 };
const along = (p) => PLOT.left + (PLOT.right - PLOT.left) * p;
const tick = (value) => (value === 0 || value >= 0.01 ? String(Number(value.toPrecision(2))) : value.toExponential(0));

function axes(svg, highest, xs, xLabel) {
  for (const part of [0, 0.5, 1]) {
    const y = PLOT.bottom - part * (PLOT.bottom - PLOT.top);
    svg.append(line([[PLOT.left, y], [PLOT.right, y]], { stroke: "var(--line)", "stroke-width": 1 }), text(PLOT.left - 8, y + 6, tick(part * highest), { "text-anchor": "end" }));
  }
  for (const [x, label] of xs) svg.append(text(x, PLOT.bottom + 22, label, { "text-anchor": "middle" }));
  svg.append(text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 46, xLabel, { "text-anchor": "middle" }));
}

let held = "object"; // which dot the keys move

function drawDots() {
  const svg = one("#dots");
  const { values } = state;
  const now = lossOf(twoGroups(values), values).loss;
  const highest = Math.max(lossOf(twoGroups({ ...values, back: 300, object: 100 }), values).loss, now * 1.05);
  const up = (loss) => PLOT.bottom - (PLOT.bottom - PLOT.top) * (loss / highest);
  svg.replaceChildren();
  axes(svg, highest, [0, 0.25, 0.5, 0.75, 1].map((p) => [along(p), String(p)]), "probability of the right label");
  for (const [side, { ink }] of Object.entries(SIDES)) {
    const ps = [1, 2, 4, 7, ...Array.from({ length: 99 }, (_, i) => 10 * (i + 1)), 999];
    const points = ps.map((p) => [along(p / 1000), up(lossOf(twoGroups({ ...values, [side]: p }), values).loss)]);
    svg.append(line(points.filter(([, y]) => y >= PLOT.top - 12), { stroke: ink, class: `curve-${side}` }));
  }
  for (const [side, { ink, name }] of Object.entries(SIDES)) {
    const [x, y] = [along(values[side] / 1000), up(now)];
    const last = x > 500;
    svg.append(
      shape("circle", { cx: x, cy: y, r: 26, fill: "transparent", "data-dot": side, style: "cursor:ew-resize" }),
      shape("circle", { cx: x, cy: y, r: side === held ? 14 : 11, fill: ink, stroke: "var(--ink)", "stroke-width": side === held ? 3 : 1.5, "pointer-events": "none" }),
      text(x + (last ? 4 : -4), y - 22, name, { "text-anchor": last ? "end" : "start", fill: "var(--ink)", "font-weight": 700, stroke: "var(--panel)", "stroke-width": 5, "paint-order": "stroke", "pointer-events": "none" }),
    );
  }
}

// Blue where background is likely, orange where the object is.
function tint(p) {
  const [low, middle, high] = [[0, 114, 178], [240, 240, 236], [217, 130, 0]];
  const part = Math.abs(2 * p - 1);
  return middle.map((m, c) => Math.round(m + part * ((p < 0.5 ? low : high)[c] - m)));
}

function paint(canvas, colourOf) {
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  for (let i = 0; i < N; i++) image.data.set([...colourOf(i), 255], 4 * i);
  context.putImageData(image, 0, 0);
}

function drawImage() {
  const { pixels, back, object } = state.values;
  const { truth } = pictureOf(pixels);
  const colours = [tint(1 - back / 1000), tint(object / 1000)];
  const isRim = (i) => truth[i] && [i - 1, i + 1, i - SIDE, i + SIDE].some((j) => !truth[j]);
  paint(one("#image"), (i) => (isRim(i) ? [20, 23, 27] : colours[truth[i]]));
}

function drawDescent() {
  const svg = one("#slope");
  const { values } = state;
  const [path, curve, { best }] = [pathOf(values), curveOf(values), bestOf(values)];
  const at = path[values.step];
  const highest = 1.15 * Math.max(...curve.slice(DARK)); // the slope on the left may leave the picture
  const [x, y] = [(t) => along(t / LAST), (loss) => PLOT.bottom - (PLOT.bottom - PLOT.top) * Math.min(1.03, loss / highest)];
  svg.replaceChildren();
  const { counts } = pictureOf(values.pixels);
  counts.forEach((count, g) => {
    const tall = Math.sqrt(Math.max(...counts[0], ...counts[1]));
    const points = count.map((n, level) => [x(level), PLOT.bottom - 130 * (Math.sqrt(n) / tall)]);
    svg.append(line([[x(0), PLOT.bottom], ...points, [x(100), PLOT.bottom]], { fill: g ? "var(--orange)" : "var(--blue)", "fill-opacity": 0.3, stroke: "none" }));
  });
  axes(svg, highest, [0, 20, 40, 60, 80, 100, 120, 140].map((t) => [x(t), String(t)]), "threshold: brighter gray is object");
  svg.append(line([[x(best), PLOT.top], [x(best), PLOT.bottom]], { stroke: "var(--good)", "stroke-width": 2, "stroke-dasharray": "3 5" }), text(x(best) + 7, PLOT.top + 14, "best IoU", { fill: "var(--good)" }));
  svg.append(line(curve.map((loss, t) => [x(t), y(loss)]).filter(([, v]) => v >= PLOT.top), { stroke: "var(--purple)" }));
  for (const t of path.slice(0, values.step)) svg.append(shape("circle", { cx: x(t), cy: y(lossAt(t, values).loss), r: 4, fill: "var(--purple)", opacity: 0.6 }));
  svg.append(line([[x(at), PLOT.top], [x(at), PLOT.bottom]], { stroke: "var(--ink)", "stroke-width": 2 }), shape("circle", { cx: x(at), cy: y(lossAt(at, values).loss), r: 13, fill: "var(--purple)", stroke: "var(--ink)", "stroke-width": 2.5, style: "cursor:ew-resize" }));
  const { truth, gray } = pictureOf(values.pixels);
  paint(one("#found"), (i) => {
    const found = gray[i] > at;
    if (!found && !truth[i]) return [gray[i] * 2, gray[i] * 2, gray[i] * 2];
    return found ? (truth[i] ? [0, 158, 115] : [217, 130, 0]) : [204, 121, 167];
  });
}

const small = (v) => (v === 0 ? "0" : v < 0.001 ? v.toExponential(1) : v.toPrecision(3));
const thousands = (v) => v.toLocaleString("en", { maximumFractionDigits: v < 10 ? 2 : 1 });

// Numbers are shown rounded; <data> carries all their digits.
function exactly(name, value, shown) {
  const element = one(`#${name}`);
  element.value = String(value);
  element.textContent = shown;
}

function tell() {
  const { values } = state;
  const groups = twoGroups(values);
  const found = lossOf(groups, values);
  const each = pulls(groups, values);
  const all = each.map((pull, i) => pull * groups[i].n);
  const now = scoreOfTwo(values);
  const gamma = values.loss === "focal" ? values.gamma : 0;
  const costs = groups.map((group) => cost(rightly(group), gamma) * (group.g ? values.weight : 1));
  const totals = found.parts ?? costs.map((c, i) => c * groups[i].n);
  exactly("value", found.loss, small(found.loss));
  ["back", "object"].forEach((side, i) => {
    exactly(`cost-${side}`, totals[i], found.parts ? small(totals[i]) : thousands(totals[i]));
    exactly(`each-${side}`, each[i], small(each[i]));
    exactly(`pull-${side}`, all[i], small(all[i]));
  });
  const ratio = all[1] / all[0];
  const name = NAMES[values.loss];
  one("#totals").textContent = found.parts ? "loss of the class" : "all its pixels cost";
  for (const [id, isShown] of Object.entries({ gamma: values.loss === "focal", alpha: values.loss === "tversky" })) one(`#${id}`).hidden = !isShown;
  const { best, bestIou } = bestOf(values);
  const at = pathOf(values)[values.step];
  const { loss, slope } = lossAt(at, values);
  exactly("descended", loss, small(loss));
  exactly("slope-now", slope, slope < 0 ? `−${small(-slope)}` : small(slope));
  const then = scoreAt(at, values.pixels);
  live({
    name, gamma: values.gamma, alpha: values.alpha, beta: Number((1 - values.alpha).toFixed(2)), weight: values.weight, step: values.step,
    pixels: thousands(values.pixels), others: thousands(N - values.pixels), share: ((100 * values.pixels) / N).toFixed(1),
    back: values.back / 1000, object: values.object / 1000, accuracy: now.accuracy.toFixed(1), iou: now.iou.toFixed(2),
    ratio: small(ratio), wrongBack: Number((1 - values.back / 1000).toFixed(3)), wrongObject: Number((1 - values.object / 1000).toFixed(3)),
    dicePull: small(pulls(groups, { ...values, loss: "dice" })[1]), cePull: small(pulls(groups, { ...values, loss: "ce" })[1]), value: small(found.loss), plainPixels: values.pixels, plainOthers: N - values.pixels, naive: ((100 * (N - values.pixels)) / N).toFixed(1),
    hits: then.hits, alarms: then.alarms, misses: then.misses, threshold: at.toFixed(1), thenIou: then.iou.toFixed(3), thenAccuracy: then.accuracy.toFixed(1), best,
    call: { ce: "CrossEntropy(", focal: `FocalLoss(${values.gamma}, `, dice: "DiceLoss(", tversky: `TverskyLoss(${values.alpha}, ${Number((1 - values.alpha).toFixed(2))}, ` }[values.loss] + `class_weights=[1, ${values.weight}])`,
  });
  one("#slope-says").innerHTML = sentence(at, slope, then, bestIou, values.step);
}

let later = 0;
function tellFavourites() {
  clearTimeout(later);
  later = setTimeout(() => live(favouritesOf(state.values)), 100); // not while the object is being dragged
}

function sentence(at, slope, then, bestIou, step) {
  const curve = curveOf(state.values);
  const [least, most] = [Math.min(...curve), Math.max(...curve)];
  if (Math.abs(RATE * slope) < 0.02 && lossAt(at, state.values).loss > least + 0.05 * (most - least)) return `<b>Stuck</b>: a step moves the threshold by ${small(Math.abs(RATE * slope))}. The slope has all but vanished, and ${then.hits ? `only ${then.hits} pixels of the object have been found` : "nothing has been found"}.`;
  if (Math.abs(RATE * slope) < 0.02) return `At the bottom. This loss likes a threshold of ${at.toFixed(1)}: ${then.misses} pixels missed, ${then.alarms} false alarms, an IoU of ${then.iou.toFixed(3)} where ${bestIou.toFixed(3)} is possible.`;
  return `${step ? `After ${step} steps` : "At the start"} the slope is ${slope > 0 ? "positive: the threshold will fall" : "negative: the threshold will rise"}, by ${small(Math.abs(RATE * slope))} in the next step.`;
}

const draw = eachFrame(() => {
  drawDots();
  drawImage();
  drawDescent();
});

// --- wiring -----------------------------------------------------------------------------------------------------------

let before = state.values;
state.whenChanged((values) => {
  const other = ["loss", "gamma", "alpha", "weight", "pixels", "start"].some((name) => values[name] !== before[name]);
  if (other && values.step === before.step && values.step) return begin(); // another way begins at its start
  before = values;
  tell();
  tellFavourites();
  draw();
});

function begin() {
  before = state.values;
  state.set({ step: 0 }, false);
}

let playing = 0;
function play() {
  cancelAnimationFrame(playing);
  if (!motionIsWelcome()) return state.set({ step: STEPS });
  state.set({ step: 0 });
  const started = performance.now();
  const next = (now) => {
    const step = Math.min(STEPS, Math.floor((now - started) / 40));
    state.set({ step }, false);
    if (step < STEPS) playing = requestAnimationFrame(next);
  };
  playing = requestAnimationFrame(next);
}
addEventListener("pointerdown", () => cancelAnimationFrame(playing));
addEventListener("keydown", () => cancelAnimationFrame(playing));

const show = (changes, words) => () => {
  state.set(changes);
  say(words, "bad");
};
function train(changes) {
  state.set({ weight: 1, start: 115, pixels: 300, step: 0, ...changes });
  state.set({ step: STEPS }, false);
}
const stepBy = (by) => state.set({ step: clamp(state.get("step") + by, 0, STEPS) });
bind(state, {
  back: () => stepBy(-1),
  forth: () => stepBy(1),
  play,
  asleep: show({ loss: "focal", gamma: 8, back: 800, object: 700, weight: 1 }, "Both classes are barely right, and yet hardly anything pulls any more: with a large γ, focal loss is content with being unsure."),
  nothing: show({ loss: "dice", back: 990, object: 1, weight: 1 }, "The object is not found at all, and Dice hardly pulls there: p (1 − p) is nearly 0. Compare cross-entropy, which pulls hardest exactly here."),
  speck: show({ loss: "dice", pixels: 1, back: 990, object: 300, weight: 1 }, "An object of one pixel: all that Dice says about it hangs on that pixel and on the false alarms elsewhere."),
  plateau: () => train({ loss: "dice", start: 135 }),
  heavy: () => train({ loss: "ce", weight: 100 }),
  shy: () => train({ loss: "ce" }),
});
guess("share", (value) => {
  const [back, object] = [-9700 * Math.log(0.8), -300 * Math.log(0.3)];
  return `${value === "14" ? "Yes" : "No"}: ${((100 * object) / (back + object)).toFixed(0)} %. The background costs 9,700 · ${(back / 9700).toFixed(3)} = ${thousands(back)}, the object 300 · ${(object / 300).toFixed(3)} = ${thousands(object)}. What is nearly right drowns what is wrong.`;
});
const isFirst = ({ pixels, back, object }) => pixels === 300 && back === 800 && object === 300;
exercises(state, {
  balance: (values) => {
    const [a, b] = pulls(twoGroups(values), values);
    return isFirst(values) && values.loss === "ce" && Math.abs((b * 300) / (a * 9700) - 1) < 0.1;
  },
  lead: (values) => {
    const [a, b] = twoGroups(values).map((group) => group.n * cost(rightly(group), values.gamma));
    const [c, d] = twoGroups(values).map((group) => group.n * cost(rightly(group), values.gamma - 0.1));
    return isFirst(values) && values.loss === "focal" && values.weight === 1 && b > a && d <= c;
  },
  climb: (values) => values.start >= 115 && values.step > 0 && scoreAt(pathOf(values)[values.step], values.pixels).iou >= 0.42 && values.pixels === 300,
});

const dots = one("#dots");
const placeOn = (svg, event) => {
  const box = svg.getBoundingClientRect();
  return clamp((((event.clientX - box.x) / box.width) * 600 - PLOT.left) / (PLOT.right - PLOT.left), 0, 1);
};
const moveDot = (event, begins) => state.set({ [held]: clamp(Math.round(1000 * placeOn(dots, event)), 1, 999) }, begins);
dots.addEventListener("pointerdown", (event) => {
  const { values } = state;
  const p = 1000 * placeOn(dots, event);
  held = event.target.dataset.dot ?? (Math.abs(values.back - p) < Math.abs(values.object - p) ? "back" : "object");
  moveDot(event, true);
});
dots.addEventListener("pointermove", (event) => event.buttons && moveDot(event, false));
dots.addEventListener("keydown", (event) => {
  const by = { ArrowRight: 10, ArrowUp: 10, ArrowLeft: -10, ArrowDown: -10 }[event.key];
  if (by) state.set({ [held]: clamp(state.get(held) + by, 1, 999) });
  else if (event.key === "b" || event.key === "o") held = event.key === "b" ? "back" : "object";
  else return;
  event.preventDefault();
  draw();
});

const image = one("#image");
const resize = (event, begins) => {
  const box = image.getBoundingClientRect();
  const [x, y] = [((event.clientX - box.x) / box.width) * SIDE, ((event.clientY - box.y) / box.height) * SIDE];
  const distance = (x - SIDE / 2) ** 2 + (y - SIDE / 2) ** 2;
  state.set({ pixels: clamp(Math.round(Math.PI * distance), 1, MOST) }, begins);
};
image.addEventListener("pointerdown", (event) => resize(event, true));
image.addEventListener("pointermove", (event) => event.buttons && resize(event, false));
image.addEventListener("keydown", (event) => {
  const sign = { ArrowRight: 1, ArrowUp: 1, "+": 1, ArrowLeft: -1, ArrowDown: -1, "-": -1 }[event.key];
  if (!sign) return;
  event.preventDefault();
  const { pixels } = state.values;
  state.set({ pixels: clamp(pixels + sign * Math.max(1, Math.round(pixels / 10)), 1, MOST) });
});

const hill = one("#slope");
const moveStart = (event, begins) => state.set({ start: Math.round(LAST * placeOn(hill, event)), step: 0 }, begins);
hill.addEventListener("pointerdown", (event) => moveStart(event, true));
hill.addEventListener("pointermove", (event) => event.buttons && moveStart(event, false));
hill.addEventListener("keydown", (event) => {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (by) state.set({ start: clamp(state.get("start") + by, 0, LAST), step: 0 });
  else if (event.key === "+" || event.key === "-") stepBy(event.key === "+" ? 1 : -1);
  else return;
  event.preventDefault();
});

live(favouritesOf(state.values));
state.tell();
say("Drag the dots, or the rim of the object in the picture.");
requestAnimationFrame(() => requestAnimationFrame(ready));
