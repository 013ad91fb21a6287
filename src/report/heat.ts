/** Lays a Grad-CAM map over the image it belongs to, in the image's own geometry. */
import type { Pixels } from '../data/types';
import { CovidCtError } from '../errors';
import { checkOptions } from '../options/check';
import { heatOptionsSchema } from './options';
import type { HeatOptions } from './options';
import { colorTable } from './colormap';

/** The part of the original image that the network saw, in pixels of that image; fractions and overhang are allowed. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** What {@link heatOverlay} lays together. */
export interface HeatInput extends HeatOptions {
  /** The original image. */
  readonly pixels: Pixels;
  /** Grad-CAM, mapHeight × mapWidth, rows first, finite and >= 0. */
  readonly map: Float32Array;
  readonly mapHeight: number;
  readonly mapWidth: number;
  /** Where the map belongs. */
  readonly region: Region;
}

function check({ pixels, map, mapHeight, mapWidth, region }: HeatInput): void {
  const refuse = (message: string): never => {
    throw new CovidCtError('ERR_BAD_BATCH', `heatOverlay: ${message}`);
  };
  const whole = (value: number): boolean => Number.isSafeInteger(value) && value > 0;
  if (!whole(mapHeight) || !whole(mapWidth) || map.length !== mapHeight * mapWidth)
    refuse(`the map has ${map.length} values; ${mapHeight} × ${mapWidth} were announced`);
  if (!whole(pixels.width) || !whole(pixels.height) || pixels.data.length !== pixels.width * pixels.height * 3)
    refuse(`the image has ${pixels.data.length} bytes; ${pixels.height} × ${pixels.width} × 3 were announced`);
  const sides = [region.left, region.top, region.width, region.height];
  if (!sides.every(Number.isFinite) || region.width <= 0 || region.height <= 0)
    refuse(`the region [${sides.join(', ')}] must be finite with a width and a height above 0`);
  const bad = map.findIndex((value) => !Number.isFinite(value) || value < 0);
  if (bad >= 0) refuse(`value ${bad} of the map is ${map[bad]}; Grad-CAM's maps are finite and >= 0`);
}

/** For each pixel along one side: its two neighbors in the map and the weight of the second; -1 outside the region. */
function samplePoints(
  pixels: number,
  start: number,
  length: number,
  cells: number,
): { first: Int32Array; weight: Float64Array } {
  const first = new Int32Array(pixels).fill(-1);
  const weight = new Float64Array(pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const inside = (pixel + 0.5 - start) / length;
    if (inside < 0 || inside >= 1) continue;
    // Centers of pixels and cells meet, edges are held: torch's interpolate with align_corners=False.
    const position = Math.min(cells - 1, Math.max(0, inside * cells - 0.5));
    first[pixel] = Math.min(Math.max(0, cells - 2), Math.floor(position));
    weight[pixel] = position - first[pixel]!;
  }
  return { first, weight };
}

/**
 * The map in the geometry of the image: divided by its maximum and resized bilinearly into the region.
 *
 * @returns height × width of the image, in [0, 1]; 0 outside the region, and everywhere when the map is all zeros
 * @throws CovidCtError ERR_BAD_BATCH when lengths do not fit or a value is not finite or negative
 */
export function resizeMap(input: Omit<HeatInput, keyof HeatOptions>): Float32Array {
  check(input);
  const {
    pixels: { width, height },
    map,
    mapHeight,
    mapWidth,
    region,
  } = input;
  const heat = new Float32Array(width * height);
  const highest = map.reduce((a, b) => Math.max(a, b), 0);
  if (highest === 0) return heat;
  const across = samplePoints(width, region.left, region.width, mapWidth);
  const down = samplePoints(height, region.top, region.height, mapHeight);
  const below = mapHeight > 1 ? mapWidth : 0;
  const beside = mapWidth > 1 ? 1 : 0;
  for (let y = 0; y < height; y++) {
    if (down.first[y]! < 0) continue;
    for (let x = 0; x < width; x++) {
      if (across.first[x]! < 0) continue;
      const at = down.first[y]! * mapWidth + across.first[x]!;
      const upper = map[at]! * (1 - across.weight[x]!) + map[at + beside]! * across.weight[x]!;
      const lower = map[at + below]! * (1 - across.weight[x]!) + map[at + below + beside]! * across.weight[x]!;
      heat[y * width + x] = (upper * (1 - down.weight[y]!) + lower * down.weight[y]!) / highest;
    }
  }
  return heat;
}

/**
 * The image with the map over it. A place hides the image in proportion to its heat, so where the network did not look
 * the image stays as it is; `alpha` is how much the hottest place hides.
 *
 * @returns RGB, uint8, of the image's size
 * @throws CovidCtError ERR_BAD_BATCH when lengths do not fit or a value is not finite or negative; InvalidOptionError
 */
export function blendHeat(input: HeatInput): Pixels {
  const { alpha, colormap } = checkOptions(
    heatOptionsSchema,
    { alpha: input.alpha, colormap: input.colormap },
    'heatOverlay',
  );
  const { pixels } = input;
  const heat = resizeMap(input);
  const table = colorTable(colormap);
  const data = Uint8Array.from(pixels.data);
  heat.forEach((value, pixel) => {
    const hidden = alpha * value;
    const color = Math.round(value * 255) * 3;
    for (let channel = 0; channel < 3; channel++) {
      const at = pixel * 3 + channel;
      data[at] = Math.round(data[at]! * (1 - hidden) + table[color + channel]! * hidden);
    }
  });
  return { data, width: pixels.width, height: pixels.height };
}
