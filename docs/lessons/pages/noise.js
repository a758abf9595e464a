// Noisy labellings to be cleaned: what lessons about CRFs share.

import { coloursOf } from "./pixels.js";

export const NONE = 255; // where there is no truth
const SHARE = 0.4; // of labels that are replaced

// Random numbers in [0, 1) that are the same everywhere.
function* random(seed) {
  for (let a = seed; ; ) {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    yield ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
}

// Labels that are the truth but for noise.
export function withNoise(truth, n) {
  const numbers = random(7);
  const next = () => numbers.next().value;
  return Array.from(truth, (label) => {
    const [replace, other] = [next(), next()];
    return replace < SHARE || label === NONE ? Math.floor(other * n) : label;
  });
}

// Cut an image into its four main colours (k-means), which then are the truth.
export function fourColours({ width, height, data }) {
  const n = 4;
  const image = coloursOf({ width, height, data });
  const order = [...Array(width * height).keys()].sort((a, b) => image[3 * a] + image[3 * a + 1] + image[3 * a + 2] - image[3 * b] - image[3 * b + 1] - image[3 * b + 2]);
  let means = [...Array(n).keys()].map((k) => [...image.slice(3 * order[Math.floor(((k + 0.5) * order.length) / n)]).slice(0, 3)]);
  const labels = new Uint8Array(width * height);
  for (let round = 0; round < 12; round++) {
    const sums = means.map(() => [0, 0, 0, 0]);
    for (let i = 0; i < labels.length; i++) {
      const gaps = means.map((m) => (image[3 * i] - m[0]) ** 2 + (image[3 * i + 1] - m[1]) ** 2 + (image[3 * i + 2] - m[2]) ** 2);
      labels[i] = gaps.indexOf(Math.min(...gaps));
      const sum = sums[labels[i]];
      for (let c = 0; c < 3; c++) sum[c] += image[3 * i + c];
      sum[3] += 1;
    }
    means = sums.map((s, k) => (s[3] ? s.slice(0, 3).map((v) => v / s[3]) : means[k]));
  }
  return { height, width, image, truth: labels, n };
}

// How many of the labels are right, in per cent.
export const right = (labels, reference) => {
  let [hits, counted] = [0, 0];
  reference.forEach((label, i) => {
    if (label === NONE) return;
    counted += 1;
    hits += Number(label === labels[i]);
  });
  return (100 * hits) / counted;
};
