/** Color maps: a number in [0, 1] to a color. */
import type { COLORMAPS } from './options';

export type Colormap = (typeof COLORMAPS)[number];

/** Colors at equal distances, interpolated linearly between. */
const STOPS: Readonly<Record<Colormap, readonly (readonly [number, number, number])[]>> = {
  inferno: [
    [0, 0, 4],
    [31, 12, 72],
    [85, 15, 109],
    [136, 34, 106],
    [186, 54, 85],
    [227, 89, 51],
    [249, 140, 10],
    [249, 201, 50],
    [252, 255, 164],
  ],
  viridis: [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
  ],
  jet: [
    [0, 0, 128],
    [0, 0, 255],
    [0, 128, 255],
    [0, 255, 255],
    [128, 255, 128],
    [255, 255, 0],
    [255, 128, 0],
    [255, 0, 0],
    [128, 0, 0],
  ],
};

/**
 * The color map as a table.
 *
 * @returns 256 × 3 bytes, RGB; row i is the color of i / 255
 */
export function colorTable(name: Colormap): Uint8Array {
  const stops = STOPS[name];
  const table = new Uint8Array(256 * 3);
  for (let row = 0; row < 256; row++) {
    const position = (row / 255) * (stops.length - 1);
    const index = Math.min(stops.length - 2, Math.floor(position));
    const part = position - index;
    for (let channel = 0; channel < 3; channel++) {
      table[row * 3 + channel] = Math.round(stops[index]![channel]! * (1 - part) + stops[index + 1]![channel]! * part);
    }
  }
  return table;
}
