// A network of two probabilities, and one of a single number, a threshold: what a loss says of them, and where it leads.

import { carried, clamp } from "../frame/frame.js";
import { overlap, pixelwise } from "./formulas.js";

export const SIDE = 100;
export const N = SIDE * SIDE;
export const DARK = 40; // gray of the background
const BRIGHTER = 30; // how much brighter the object is
const SOFTNESS = 5; // gray levels over which the threshold goes from no to yes
export const LAST = 140; // the largest threshold
export const RATE = 200; // gray levels for each unit of slope
export const STEPS = 100;
const thresholds = [...Array(LAST + 1).keys()];

const noise = Int8Array.from(await carried("grain"));

// Pixels in the order of their distance from the middle: the object is the first ones.
const square = (i) => (Math.floor(i / SIDE) - (SIDE - 1) / 2) ** 2 + ((i % SIDE) - (SIDE - 1) / 2) ** 2;
const inwards = [...Array(N).keys()].sort((a, b) => square(a) - square(b) || a - b);

export function lossOf(groups, { loss, gamma, alpha, weight }) {
  if (loss === "ce" || loss === "focal") return pixelwise(groups, loss === "focal" ? gamma : 0, weight);
  return overlap(groups, loss === "tversky" ? alpha : 0.5, weight);
}

// The background and the object, each with one probability.
export const twoGroups = ({ pixels, back, object }) => [
  { n: N - pixels, g: 0, p: 1 - back / 1000 },
  { n: pixels, g: 1, p: object / 1000 },
];

// The slope of the loss by the score of the right label of one pixel of each group: what training follows.
export function pulls(groups, values) {
  return lossOf(groups, values).slopes.map((slope, i) => Math.abs(slope) * groups[i].p * (1 - groups[i].p));
}

// How well labels serve: pixels that are right, in per cent, and the overlap of the object.
function score(hits, alarms, misses) {
  return { hits, alarms, misses, accuracy: (100 * (N - alarms - misses)) / N, iou: hits / (hits + alarms + misses) };
}

export const scoreOfTwo = ({ pixels, back, object }) => {
  const hits = object > 500 ? pixels : 0;
  return score(hits, back >= 500 ? 0 : N - pixels, pixels - hits);
};

// A picture of an object in noise, as numbers of pixels of each gray level in background and object.
let picture = {};
export function pictureOf(pixels) {
  if (picture.pixels !== pixels) {
    const truth = new Uint8Array(N);
    for (let i = 0; i < pixels; i++) truth[inwards[i]] = 1;
    const gray = Uint8Array.from(noise, (more, i) => clamp(DARK + BRIGHTER * truth[i] + more, 0, 100));
    const counts = [new Array(101).fill(0), new Array(101).fill(0)];
    gray.forEach((level, i) => (counts[truth[i]][level] += 1));
    picture = { pixels, truth, gray, counts };
  }
  return picture;
}

// What a network of one number, the threshold, says about that picture.
function groupsAt(threshold, counts) {
  const groups = [];
  for (const g of [0, 1]) {
    counts[g].forEach((n, level) => n && groups.push({ n, g, p: 1 / (1 + Math.exp((threshold - level) / SOFTNESS)) }));
  }
  return groups;
}

export function lossAt(threshold, values) {
  const groups = groupsAt(threshold, pictureOf(values.pixels).counts);
  const { loss, slopes } = lossOf(groups, values);
  const slope = groups.reduce((total, { n, p }, i) => total - (n * slopes[i] * p * (1 - p)) / SOFTNESS, 0);
  return { loss, slope };
}

export function scoreAt(threshold, pixels) {
  const above = pictureOf(pixels).counts.map((count) => count.reduce((total, n, level) => total + (level > threshold ? n : 0), 0));
  return score(above[1], above[0], pixels - above[1]);
}

// The last answer of a function of some values of the state, kept until one of them changes.
function kept(names, compute) {
  let [key, answer] = [];
  return (values) => {
    const now = names.map((name) => values[name]).join(" ");
    if (key !== now) [key, answer] = [now, compute(values)];
    return answer;
  };
}

const PROBLEM = ["loss", "gamma", "alpha", "weight", "pixels"];
export const curveOf = kept(PROBLEM, (values) => thresholds.map((t) => lossAt(t, values).loss));
export const bestOf = kept(["pixels"], ({ pixels }) => {
  const ious = thresholds.map((t) => scoreAt(t, pixels).iou);
  const most = Math.max(...ious);
  return { best: ious.indexOf(most), bestIou: most };
});
// Thresholds on the way downhill.
export const pathOf = kept([...PROBLEM, "start"], (values) => {
  const path = [values.start];
  while (path.length <= STEPS) path.push(clamp(path.at(-1) - RATE * lossAt(path.at(-1), values).slope, 0, LAST));
  return path;
});

// The threshold that each of some losses likes best.
export const favouritesOf = kept(["pixels"], ({ pixels }) => {
  const bottom = (changes) => {
    const losses = thresholds.map((t) => lossAt(t, { pixels, weight: 1, gamma: 2, ...changes }).loss);
    return losses.indexOf(Math.min(...losses));
  };
  return { likesCe: bottom({ loss: "ce" }), likesFocal: bottom({ loss: "focal" }), likesDice: bottom({ loss: "dice" }), likesHeavy: bottom({ loss: "ce", weight: 100 }) };
});
