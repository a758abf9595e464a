// What all lessons share: state that can be undone and linked to, live numbers, controls, exercises, data, images.

export const one = (selector, root = document) => root.querySelector(selector);
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];
export const motionIsWelcome = () => !matchMedia("(prefers-reduced-motion: reduce)").matches;
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// --- state: plain values, each with a default; others are told of changes, the address holds those that differ --------

// A field that is one of some names, the first at the start; and a whole number.
export const choice = (...names) => ({ start: names[0], read: (text) => (names.includes(text) ? text : names[0]) });
export const whole = (start, low, high) => ({ start, read: (text) => (text.trim() && Number.isFinite(Number(text)) ? clamp(Math.round(Number(text)), low, high) : undefined) });

export class State {
  // `fields`: name -> {start, read(text), write(value)}; numbers need only {start, low, high}. See choice and whole.
  constructor(fields) {
    this.fields = fields;
    this.listeners = [];
    this.past = [];
    this.future = [];
    this.values = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.start]));
    const given = new URLSearchParams(location.hash.slice(1));
    for (const [name, text] of given) {
      const value = name in fields ? this.#read(fields[name], text) : undefined;
      if (value !== undefined) this.values[name] = value; // what makes no sense is passed over
    }
  }

  get(name) {
    return this.values[name];
  }

  // Change some values. With `step`, the change can be undone by itself; without, it belongs to the step before.
  set(changes, step = true) {
    if (Object.entries(changes).every(([name, value]) => this.values[name] === value)) return;
    if (step) {
      this.past.push({ ...this.values });
      if (this.past.length > 500) this.past.shift();
      this.future = [];
    }
    this.values = { ...this.values, ...changes };
    this.#changed();
  }

  undo() {
    if (this.past.length) this.#travel(this.past, this.future);
  }

  redo() {
    if (this.future.length) this.#travel(this.future, this.past);
  }

  reset(names = Object.keys(this.fields)) {
    this.set(Object.fromEntries(names.map((name) => [name, this.fields[name].start])));
  }

  whenChanged(listener) {
    this.listeners.push(listener);
  }

  // Tell everybody how things are: at the start, and after a change of what is no part of the state.
  tell() {
    this.#changed();
  }

  #travel(from, to) {
    to.push(this.values);
    this.values = from.pop();
    this.#changed();
  }

  #read(field, text) {
    try {
      if (field.read) return field.read(text);
      const value = Number(text);
      return text !== "" && Number.isFinite(value) ? clamp(value, field.low, field.high) : undefined;
    } catch {
      return undefined;
    }
  }

  #changed() {
    for (const listener of this.listeners) listener(this.values);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#link(), 200);
  }

  #link() {
    const link = new URLSearchParams();
    for (const [name, field] of Object.entries(this.fields)) {
      const text = (value) => (field.write ? field.write(value) : String(value));
      if (text(this.values[name]) !== text(field.start)) link.set(name, text(this.values[name]));
    }
    const hash = link.toString();
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }
}

// --- what the page says -----------------------------------------------------------------------------------------------

// Show numbers wherever the page names them: <b data-live="name">.
export function live(values) {
  for (const [name, value] of Object.entries(values)) {
    for (const element of all(`[data-live="${name}"]`)) element.textContent = value;
  }
}

// In the figure `within`, if the page has several.
export function say(text, kind = "", within = document) {
  const element = one(".say", within);
  element.className = `say ${kind}`;
  element.innerHTML = text;
}

// --- controls: <input data-state="name">, <button data-do="undo">, <button data-mode="name" value="x"> -----------------

export function bind(state, actions = {}) {
  const every = { undo: () => state.undo(), redo: () => state.redo(), reset: () => state.reset(), ...actions };
  for (const input of all("input[data-state]")) {
    const name = input.dataset.state;
    const check = input.type === "checkbox";
    let dragging = false;
    input.addEventListener("input", () => {
      state.set({ [name]: check ? Number(input.checked) : Number(input.value) }, !dragging);
      dragging = !check;
    });
    input.addEventListener("change", () => (dragging = false));
    state.whenChanged((values) => {
      if (check) input.checked = Boolean(values[name]);
      else input.value = values[name];
    });
  }
  for (const button of all("button[data-mode]")) {
    const name = button.dataset.mode;
    button.addEventListener("click", () => state.set({ [name]: button.value }));
    state.whenChanged((values) => button.setAttribute("aria-pressed", String(values[name] === button.value)));
  }
  for (const button of all("button[data-do]")) button.addEventListener("click", () => every[button.dataset.do]());
  state.whenChanged(() => {
    for (const button of all('[data-do="undo"]')) button.disabled = state.past.length === 0;
    for (const button of all('[data-do="redo"]')) button.disabled = state.future.length === 0;
  });
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    event.shiftKey ? state.redo() : state.undo();
  });
}

// Ask for a prediction before anything is shown; `verdict(value)` answers in a sentence.
export function guess(name, verdict) {
  const box = one(`.guess[data-guess="${name}"]`);
  for (const button of all("button", box)) {
    button.addEventListener("click", () => {
      for (const other of all("button", box)) other.setAttribute("aria-pressed", String(other === button));
      one(".verdict", box).innerHTML = verdict(button.value);
    });
  }
}

// Exercises: <li data-exercise="name">; each is looked at after every change, and stays solved.
export function exercises(state, checks) {
  const solved = new Set();
  state.whenChanged((values) => {
    for (const [name, check] of Object.entries(checks)) {
      if (solved.has(name) || !check(values)) continue;
      solved.add(name);
      const item = one(`[data-exercise="${name}"]`);
      item.classList.add("solved");
      one(".mark", item).textContent = "✓ Solved";
    }
    live({ solved: solved.size });
  });
  for (const item of all("[data-exercise]")) {
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.setAttribute("role", "status");
    mark.textContent = "○ Not yet";
    item.prepend(mark);
  }
}

// --- data that the page carries ---------------------------------------------------------------------------------------

export async function carried(name) {
  const packed = Uint8Array.from(atob(one(`#data-${name}`).textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// --- images of one's own ----------------------------------------------------------------------------------------------

const LARGEST = 80e6; // bytes of a file

// Let images be dropped on, or chosen by, `element`; `use(pixels)` gets ImageData of at most `side` pixels a side.
export function takeImages(element, side, use) {
  const complain = (text) => say(text, "bad", element);
  const take = async (file) => {
    if (!file) return;
    if (file.size > LARGEST) return complain(`That file has ${Math.round(file.size / 1e6)} MB; take one below 80 MB.`);
    let bitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      return complain(`“${file.name}” is no image that this browser can read. Try a JPEG or a PNG.`);
    }
    if (Math.min(bitmap.width, bitmap.height) < 8) return complain("That image has fewer than 8 pixels on a side.");
    const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
    const width = Math.max(8, Math.round(bitmap.width * scale));
    const height = Math.max(8, Math.round(bitmap.height * scale));
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, width, height);
    use(context.getImageData(0, 0, width, height));
  };
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("drop");
  });
  element.addEventListener("dragleave", () => element.classList.remove("drop"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    element.classList.remove("drop");
    take(event.dataTransfer.files[0]);
  });
  const input = one("input[type=file]", element);
  if (input) input.addEventListener("change", () => take(input.files[0]));
}

// --- drawing ----------------------------------------------------------------------------------------------------------

// A new SVG element; `attributes` of null or undefined are left out.
export function shape(kind, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// Draw at most once for each frame of the screen, however often it is asked for.
export function eachFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}

// The page is ready for those who test it.
export const ready = () => (document.documentElement.dataset.ready = "true");
