// A small image of two labels as a flow network.

export class Network {
  // `wishes` > 0: what it costs to label a pixel bright; < 0: to label it dark. `pushes`: [{path, amount}, ...].
  constructor(board, wishes, lambda, mayGoBack, pushes) {
    this.board = board;
    this.lambda = lambda;
    this.mayGoBack = mayGoBack;
    this.wishes = wishes;
    this.left = [...wishes]; // of springs (> 0) and drains (< 0)
    this.flows = new Map(board.pairs.map(([a, b]) => [a * board.n + b, 0])); // net, from the first to the second
    this.flow = 0;
    this.pushes = [];
    for (const { path, amount } of pushes) {
      if (this.problem(path) || amount !== this.room(path)) break; // of an address that somebody has changed
      this.push(path, amount);
    }
  }

  flowOf(a, b) {
    const n = this.board.n;
    return a < b ? this.flows.get(a * n + b) : -this.flows.get(b * n + a);
  }

  capacity(a, b) {
    const flow = this.flowOf(a, b);
    return flow < 0 && !this.mayGoBack ? 0 : this.lambda - flow; // flow the other way can be taken back first
  }

  room(path) {
    const pipes = path.slice(1).map((pixel, i) => this.capacity(path[i], pixel));
    return Math.min(this.left[path[0]], -this.left[path.at(-1)], ...pipes);
  }

  // Why nothing can be pushed along a path, as a sentence; "" if something can.
  problem(path) {
    const inside = path.every((pixel) => Number.isInteger(pixel) && pixel >= 0 && pixel < this.board.n);
    if (!inside || path.length < 2) return "A path needs at least a spring and a drain.";
    return this.problemOfStart(path[0]) || path.slice(1).map((p, i) => this.problemOfStep(path[i], p)).find(Boolean) || this.problemOfEnd(path.at(-1));
  }

  problemOfStart(pixel) {
    if (this.left[pixel] > 0) return "";
    if (this.wishes[pixel] > 0) return "This spring is empty: all its water has been used. Start at one that still has some.";
    return "Water comes out of springs, the pixels with a +. This one prefers bright, so it is a drain: paths end here.";
  }

  problemOfStep(from, to) {
    if (!this.board.neighbours(from).includes(to)) return "Pipes join neighbours only: up, down, left and right, not diagonally.";
    if (this.capacity(from, to) > 0) return "";
    if (this.flowOf(from, to) < 0) return "Water comes the other way here, and pushing back is switched off.";
    if (this.lambda === 0) return "Borders cost nothing, so pipes hold nothing. Raise λ.";
    return `This pipe is full: ${this.flowOf(from, to)} of ${this.lambda} are flowing already. Go round it.`;
  }

  problemOfEnd(pixel) {
    if (this.left[pixel] < 0) return "";
    if (this.wishes[pixel] < 0) return "This drain has swallowed all that it can. Go on to one that still can.";
    return "There is no drain here. Go on to a pixel with a −.";
  }

  push(path, amount) {
    path.slice(1).forEach((to, i) => {
      const from = path[i];
      const key = from < to ? from * this.board.n + to : to * this.board.n + from;
      this.flows.set(key, this.flows.get(key) + (from < to ? amount : -amount));
    });
    this.left[path[0]] -= amount;
    this.left[path.at(-1)] += amount;
    this.flow += amount;
    this.pushes.push({ path, amount });
  }

  // A shortest path along which something can be pushed, or null, and all pixels that springs can reach.
  search() {
    const before = new Map(this.left.flatMap((left, pixel) => (left > 0 ? [[pixel, null]] : [])));
    for (const pixel of before.keys()) {
      if (this.left[pixel] < 0) {
        const path = [];
        for (let at = pixel; at !== null; at = before.get(at)) path.unshift(at);
        return { path, reached: null };
      }
      for (const next of this.board.neighbours(pixel)) {
        if (!before.has(next) && this.capacity(pixel, next) > 0) before.set(next, pixel); // a Map is walked as it grows
      }
    }
    return { path: null, reached: new Set(before.keys()) };
  }
}
