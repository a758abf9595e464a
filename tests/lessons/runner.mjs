// Calls one entry of a module, as pages do: reads {module, frame, name, args} from its input and prints the arguments.
import { readFileSync } from "node:fs";

const { module, frame, name, args } = JSON.parse(readFileSync(0, "utf8"));
const source = readFileSync(frame).toString("base64"); // by its text: beside it there is no package.json to say "module"
const { Kernels } = await import(`data:text/javascript;base64,${source}`);
const kinds = { int32: Int32Array, float32: Float32Array, float64: Float64Array, uint8: Uint8Array };
const values = args.map((arg) => (typeof arg === "number" ? arg : kinds[arg.dtype].from(arg.data)));
const kernels = await Kernels.load(readFileSync(module));
const start = performance.now();
const result = kernels.call(name, ...values);
const seconds = (performance.now() - start) / 1000;
const arrays = values.map((value) => (typeof value === "number" ? value : Array.from(value)));
console.log(JSON.stringify({ result, seconds, arrays }));
