// What a network looks at in a photo, by the shares that the library measured in cells of 8 pixels.

import { range } from "./layers.js";

const CELL = 8;
const CELLS = 64;
const cellsOf = (network) => (network.shades ??= Uint8Array.from(atob(network.cells), (c) => c.charCodeAt(0)));

// Draw a photo, as bright as each part matters for the score at `y` and `x`.
export function drawLook(canvas, photo, network, y, x) {
  const shades = cellsOf(network);
  const [height, width] = [256, Math.round((256 * photo.width) / photo.height)];
  Object.assign(canvas, { height, width });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const sized = 512 / height; // pixels of what the network gets for one of the canvas
  const columns = range(width).map((u) => [Math.floor((u * photo.width) / width), Math.floor((u * sized - x) / CELL) + CELLS / 2]);
  for (let v = 0; v < height; v++) {
    const row = Math.floor((v * photo.height) / height) * photo.width;
    const cellRow = Math.floor((v * sized - y) / CELL) + CELLS / 2;
    for (let u = 0; u < width; u++) {
      const [column, cell] = columns[u];
      const isNear = cellRow >= 0 && cell >= 0 && cellRow < CELLS && cell < CELLS;
      const light = 0.13 + 0.87 * ((isNear ? shades[cellRow * CELLS + cell] : 0) / 255);
      const at = photo.channels * (row + column);
      for (let c = 0; c < 3; c++) image.data[4 * (v * width + u) + c] = photo.colours[at + c] * light;
      image.data[4 * (v * width + u) + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  const frame = (side, colour, dash) => {
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.setLineDash(dash);
    context.strokeRect((x - side / 2) / sized, (y - side / 2) / sized, side / sized, side / sized);
  };
  if (network.field) frame(network.field, "#56b4e9", [6, 4]);
  frame(Math.max(network.half, 6), "#f0e442", []);
}

// Columns of the photo as the network gets it, 512 pixels high.
export const widthOf = (photo) => Math.round((512 * photo.width) / photo.height);
