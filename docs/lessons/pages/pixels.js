// Canvases on which every dot is a pixel of a photo: what lessons about photos share.

import { clamp } from "../frame/frame.js";

// Paint all pixels: `write(i, data, at)` writes red, green and blue of pixel i to data[at], data[at + 1], data[at + 2].
export function paint(canvas, { height, width }, write) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const out = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    write(i, out.data, 4 * i);
    out.data[4 * i + 3] = 255;
  }
  context.putImageData(out, 0, 0);
  return context;
}

// Paint how loud something is, `part(i)` from 0 to 1, over the `image` in dark gray.
export function paintParts(canvas, size, image, part) {
  return paint(canvas, size, (i, data, at) => {
    const gray = (0.16 * (image[3 * i] + image[3 * i + 1] + image[3 * i + 2])) / 3;
    const bright = Math.sqrt(clamp(part(i), 0, 1));
    data[at] = gray + bright * 240;
    data[at + 1] = gray + bright * 200;
    data[at + 2] = gray + bright * 60;
  });
}

// A ring around a pixel.
export function ring(context, { width }, pixel) {
  for (const [colour, wide] of [["#000", 2], ["#fff", 1]]) {
    context.strokeStyle = colour;
    context.lineWidth = wide;
    context.beginPath();
    context.arc((pixel % width) + 0.5, Math.floor(pixel / width) + 0.5, 4, 0, 2 * Math.PI);
    context.stroke();
  }
}

// Tell `use(pixel, begins)` which pixel is pointed at, of a photo of the size that `size()` says.
export function takePointer(canvas, size, use) {
  const tell = (event, begins) => {
    const box = canvas.getBoundingClientRect();
    const { width, height } = size();
    const x = clamp(Math.floor(((event.clientX - box.x) / box.width) * width), 0, width - 1);
    const y = clamp(Math.floor(((event.clientY - box.y) / box.height) * height), 0, height - 1);
    use(y * width + x, begins);
  };
  canvas.style.cursor = "crosshair";
  canvas.addEventListener("pointerdown", (event) => tell(event, true));
  canvas.addEventListener("pointermove", (event) => event.buttons && tell(event, false));
}

// The colours of an image, without its opacity.
export function coloursOf({ width, height, data }) {
  const image = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) for (let c = 0; c < 3; c++) image[3 * i + c] = data[4 * i + c];
  return image;
}
