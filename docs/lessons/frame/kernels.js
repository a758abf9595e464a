// A WebAssembly module made from the library's kernels (see ../builder/wasm.py), and calls of its entries.

const MATHEMATICS = ["exp", "log", "pow", "sin", "cos", "tanh"]; // what WebAssembly has no instructions for

export class Kernels {
  // `bytes` are those of a module; use Kernels.load.
  constructor(instance) {
    this.exports = instance.exports;
  }

  static async load(bytes) {
    const env = { fmod: (a, b) => a % b };
    for (const name of MATHEMATICS) {
      env[name] = Math[name];
      env[`${name}f`] = (...values) => Math.fround(Math[name](...values));
    }
    const { instance } = await WebAssembly.instantiate(bytes, { env });
    return new Kernels(instance);
  }

  // Call an entry. Typed arrays are copied into the memory of the module and back; all else is a plain number.
  call(name, ...args) {
    const { memory, heap_top, __heap_base, reserve } = this.exports;
    new DataView(memory.buffer).setUint32(heap_top.value, __heap_base.value, true); // forget the call before
    const result = reserve(16); // what is returned, and a place for an exception
    const places = args.map((arg) => (ArrayBuffer.isView(arg) ? reserve(arg.byteLength) : arg));
    const view = (array, at) => new array.constructor(memory.buffer, at, array.length);
    args.forEach((arg, i) => ArrayBuffer.isView(arg) && view(arg, places[i]).set(arg));
    const status = this.exports[name](result, result + 8, ...places);
    if (status !== 0) throw new Error(`${name} ended with status ${status}`);
    args.forEach((arg, i) => ArrayBuffer.isView(arg) && arg.set(view(arg, places[i])));
    return new Int32Array(memory.buffer, result, 1)[0];
  }
}
