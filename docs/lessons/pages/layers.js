// Layers of a network in one dimension: convolutions (c), transposed ones (t), and resizing with a convolution after it
// (r). Which units is each unit made of? Windows are square, so that in two dimensions the paths to a pixel are those to
// its row times those to its column.

const LIMITS = { window: [1, 7], stride: [1, 4], dilation: [1, 8] };
export const MOST_LAYERS = 6;
export const range = (n) => [...Array(n).keys()];

// Layers from a text such as c3.1.2-t4.2.1: kind, window, stride and dilation of each; null if it is none.
export function read(text) {
  const layers = text.split("-").map((part) => /^([ctr])(\d)\.(\d)\.(\d)$/.exec(part));
  if (!layers.every(Boolean) || layers.length > MOST_LAYERS) return null;
  const found = layers.map(([, kind, ...numbers]) => {
    const [window, stride, dilation] = numbers.map(Number);
    return { kind, window, stride, dilation: kind === "c" ? dilation : 1 };
  });
  const fits = (layer) => Object.entries(LIMITS).every(([name, [low, high]]) => layer[name] >= low && layer[name] <= high);
  return found.every(fits) ? found : null;
}

export const write = (layers) => layers.map(({ kind, window, stride, dilation }) => `${kind}${window}.${stride}.${dilation}`).join("-");

// The units that unit y of a layer is made of, and the weight of each if all weights of the layer are 1.
export function sources({ kind, window, stride, dilation }, y) {
  if (kind === "c") {
    const first = stride * y - Math.floor((dilation * (window - 1)) / 2);
    return range(window).map((i) => [first + i * dilation, 1]);
  }
  if (kind === "t") {
    const from = y + Math.max(0, Math.floor((window - stride) / 2));
    return range(window).filter((i) => (from - i) % stride === 0).map((i) => [(from - i) / stride, 1]);
  }
  return range(window).flatMap((i) => {
    const place = (y + i - Math.floor((window - 1) / 2) + 0.5) / stride - 0.5; // bilinear interpolation
    const left = Math.floor(place);
    return [[left, left + 1 - place], [left + 1, place - left]].filter(([, weight]) => weight > 0);
  });
}

// For each level, the input first, the units that lead to unit y of the last one, and on how many paths.
export function pathsTo(layers, y) {
  const levels = [new Map([[y, 1]])];
  for (const layer of layers.toReversed()) {
    const below = new Map();
    for (const [unit, paths] of levels[0]) {
      for (const [source, weight] of sources(layer, unit)) below.set(source, (below.get(source) ?? 0) + weight * paths);
    }
    levels.unshift(below);
  }
  return levels;
}

// Where the units of each level lie, in pixels of the input: the place of unit 0, and the step to the next one.
export function placesOf(layers) {
  const places = [{ start: 0, step: 1 }];
  for (const { kind, window, stride, dilation } of layers) {
    const { start, step } = places.at(-1);
    const half = (window - 1) / 2;
    if (kind === "c") places.push({ start: start + step * (dilation * half - Math.floor(dilation * half)), step: step * stride });
    else if (kind === "t") places.push({ start: start - (step * (half - Math.max(0, Math.floor((window - stride) / 2)))) / stride, step: step / stride });
    else places.push({ start: start + step * ((half - Math.floor(half) + 0.5) / stride - 0.5), step: step / stride });
  }
  return places;
}

// How wide the field of a unit of each level is at most, by the formula of the text.
export function fieldsOf(layers) {
  const fields = [1];
  let step = 1;
  for (const { kind, window, stride, dilation } of layers) {
    if (kind === "c") fields.push(fields.at(-1) + (window - 1) * dilation * step);
    else fields.push(fields.at(-1) + (kind === "t" ? Math.ceil(window / stride) - 1 : Math.ceil((window - 1) / stride) + 1) * step);
    step = kind === "c" ? step * stride : step / stride;
  }
  return fields;
}

// --- two dimensions: enlarging pictures --------------------------------------------------------------------------------

// A picture {height, width, values} enlarged by a layer with the weights of a square window, row by row.
export function enlarge(picture, layer, weights) {
  return layer.kind === "t" ? transposed(picture, layer, weights) : convolved(resized(picture, layer.stride), layer.window, weights);
}

function transposed({ height, width, values }, { window, stride }, weights) {
  const made = { height: height * stride, width: width * stride, values: new Float64Array(height * stride * width * stride) };
  const shift = Math.max(0, Math.floor((window - stride) / 2));
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    for (let i = 0; i < window; i++) for (let j = 0; j < window; j++) {
      const v = y * stride + i - shift;
      const u = x * stride + j - shift;
      if (v >= 0 && u >= 0 && v < made.height && u < made.width) made.values[v * made.width + u] += weights[i * window + j] * values[y * width + x];
    }
  }
  return made;
}

// Bilinear interpolation; what lies beyond the outermost middles is constant.
function resized({ height, width, values }, stride) {
  const made = { height: height * stride, width: width * stride, values: new Float64Array(height * stride * width * stride) };
  const between = (n) => range(n * stride).map((i) => {
    const place = Math.min(n - 1, Math.max(0, (i + 0.5) / stride - 0.5));
    const low = Math.floor(place);
    return { low, high: Math.min(low + 1, n - 1), part: place - low };
  });
  const [rows, columns] = [between(height), between(width)];
  rows.forEach((row, v) => columns.forEach((column, u) => {
    const along = (y) => (1 - column.part) * values[y * width + column.low] + column.part * values[y * width + column.high];
    made.values[v * made.width + u] = (1 - row.part) * along(row.low) + row.part * along(row.high);
  }));
  return made;
}

function convolved({ height, width, values }, window, weights) {
  const half = Math.floor((window - 1) / 2);
  const out = new Float64Array(values.length);
  for (let i = 0; i < window; i++) for (let j = 0; j < window; j++) {
    const [dy, dx, weight] = [i - half, j - half, weights[i * window + j]];
    const [left, right] = [Math.max(0, -dx), Math.min(width, width - dx)];
    for (let y = Math.max(0, -dy); y < Math.min(height, height - dy); y++) {
      const from = (y + dy) * width + dx;
      for (let x = left; x < right; x++) out[y * width + x] += weight * values[from + x];
    }
  }
  return { height, width, values: out };
}
