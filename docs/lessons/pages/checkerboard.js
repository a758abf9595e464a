// Checkerboards: a picture enlarged, and how uneven that is where the picture is not.

import { enlarge, range } from "./layers.js";
import { sum } from "./sight.js";

export const SMALL = 24; // side of the picture that is enlarged

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

export function enlarged(values, input) {
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
export function unevenness(values) {
  const key = [values.by, values.window, values.stride, values.times, values.weights].join(" ");
  if (plain.key !== key) {
    const middle = inner(enlarged(values, new Float64Array(SMALL * SMALL).fill(1)));
    const [least, most] = [Math.min(...middle), Math.max(...middle)];
    plain = { key, least, most, mean: sum(middle) / middle.length };
  }
  return plain;
}
