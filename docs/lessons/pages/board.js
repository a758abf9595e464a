// A small square image of two labels: what lessons that are done by hand share.

const STEPS = [[0, 1], [0, -1], [1, 0], [-1, 0]];

export class Board {
  constructor(side) {
    this.side = side;
    this.n = side * side;
    this.pixels = [...Array(this.n).keys()];
    // Pairs of neighbours, each once: the first, and the one to its right or below.
    this.pairs = this.pixels.flatMap((a) => this.neighbours(a).filter((b) => b > a).map((b) => [a, b]));
  }

  rowOf(pixel) {
    return Math.floor(pixel / this.side);
  }

  columnOf(pixel) {
    return pixel % this.side;
  }

  neighbours(pixel) {
    const found = STEPS.map(([dy, dx]) => [this.rowOf(pixel) + dy, this.columnOf(pixel) + dx]);
    return found.filter(([y, x]) => y >= 0 && x >= 0 && y < this.side && x < this.side).map(([y, x]) => y * this.side + x);
  }

  // What a labelling costs: pixels against their wish, and how many borders there are. A wish above 0 is what it costs
  // to label a pixel 1, one below 0 what it costs to label it 0.
  costOf(wishes, labels) {
    const unary = wishes.reduce((sum, wish, pixel) => sum + (labels[pixel] ? Math.max(0, wish) : Math.max(0, -wish)), 0);
    return { unary, edges: this.pairs.filter(([a, b]) => labels[a] !== labels[b]).length };
  }

  // The labelling of least cost, by the library's kernel.
  minimumCut(kernels, wishes, lambda) {
    const unary = Int32Array.from([...wishes.map((w) => Math.max(0, -w)), ...wishes.map((w) => Math.max(0, w))]);
    const weights = () => new Int32Array(this.side * (this.side - 1)).fill(lambda);
    const side = new Int32Array(this.n);
    kernels.call("minimum_cut", this.side, this.side, unary, weights(), weights(), side, new Int32Array(5 * this.n));
    const labels = [...side];
    const { unary: pixels, edges } = this.costOf(wishes, labels);
    return { labels, energy: pixels + lambda * edges };
  }

  // The gray values of an image, from 0 to 9, as bright and dark as there is room for: means of equal parts.
  graysOf({ width, height, data }) {
    const [sums, counts] = [new Array(this.n).fill(0), new Array(this.n).fill(0)];
    for (let i = 0; i < width * height; i++) {
      const row = Math.floor((Math.floor(i / width) * this.side) / height);
      const pixel = row * this.side + Math.floor(((i % width) * this.side) / width);
      sums[pixel] += 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2];
      counts[pixel] += 1;
    }
    const means = sums.map((sum, pixel) => sum / counts[pixel]);
    const [low, high] = [Math.min(...means), Math.max(...means)];
    return means.map((mean) => Math.round((9 * (mean - low)) / Math.max(high - low, 1)));
  }

  // How values of pixels are written into an address: a digit each, between two bounds.
  digits(low, high) {
    return {
      read: (text) => {
        const values = [...text].map(Number);
        if (values.length === this.n && values.every((v) => v >= low && v <= high)) return values;
        throw new Error("not an image");
      },
      write: (values) => values.join(""),
    };
  }
}
