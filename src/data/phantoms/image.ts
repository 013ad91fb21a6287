/** Draws one made-up slice that looks roughly like an axial chest CT in the lung window; no patient is in it. */
import { checkOptions } from '../../options/check';
import { drawInteger, drawNormal, makeDraw, STREAM } from '../random';
import type { Draw } from '../random';
import { addNoise, blobs, Canvas, fillEllipse, latticeNoise, vesselTree } from './shapes';
import type { Ellipse } from './shapes';
import type { Pixels } from '../types';
import { z } from 'zod';
import { seedSchema, uint32Schema } from '../../options/atoms';

/** Width of a phantom in pixels. */
export const phantomSizeSchema = z.int().min(32).max(1024).default(160);

export const phantomPixelsOptionsSchema = z.strictObject({
  /** Whether the slice gets ground-glass patches. */
  positive: z.boolean(),
  seed: seedSchema.default(0),
  /** Which slice of a seed. */
  index: uint32Schema.default(0),
  size: phantomSizeSchema,
});
export type PhantomPixelsOptions = z.input<typeof phantomPixelsOptionsSchema>;

/** What differs from slice to slice and has nothing to do with the class. */
interface Anatomy {
  readonly canvas: Canvas;
  readonly tissue: number;
  readonly lung: number;
  readonly lungs: readonly Ellipse[];
}

function between(draw: Draw, low: number, high: number): number {
  return low + (high - low) * draw();
}

/** Body outline, fat, ribs and the table below. */
function drawBody(draw: Draw, size: number): Anatomy {
  const width = Math.round(size * between(draw, 0.85, 1.25));
  const height = Math.round(width * between(draw, 0.66, 0.86));
  const canvas = new Canvas(width, height, {
    x: width * between(draw, 0.47, 0.53),
    y: height * between(draw, 0.46, 0.52),
    a: width * between(draw, 0.4, 0.5),
    b: height * between(draw, 0.4, 0.49),
    tilt: between(draw, -0.06, 0.06),
  });
  canvas.values.fill(between(draw, 0, 22));
  const tissue = between(draw, 196, 238);
  if (draw() < 0.6) canvas.each((u, v, value) => (Math.abs(v - 1.12 - 0.1 * u * u) < 0.025 ? 110 : value));
  fillEllipse(canvas, { u: 0, v: 0, a: 1, b: 1, power: 2.4 }, tissue - between(draw, 12, 45));
  fillEllipse(canvas, { u: 0, v: 0.01, a: 0.93, b: 0.91, power: 2.4 }, tissue);
  for (let angle = between(draw, 0, 0.4); angle < 2 * Math.PI; angle += between(draw, 0.4, 0.62)) {
    fillEllipse(
      canvas,
      { u: 0.86 * Math.cos(angle), v: 0.84 * Math.sin(angle), a: 0.075, b: 0.035, power: 2, tilt: angle + Math.PI / 2 },
      250,
    );
  }
  const spread = between(draw, 0.92, 1.06);
  const lungs = [-1, 1].map((side): Ellipse => ({
    u: side * 0.44 * spread,
    v: between(draw, -0.06, 0.04),
    a: between(draw, 0.33, 0.37),
    b: between(draw, 0.58, 0.7),
    power: 2.3,
    tilt: side * between(draw, 0.02, 0.2),
  }));
  return { canvas, tissue, lung: between(draw, 38, 78), lungs };
}

/** Lungs with their vessels, a little denser toward the back. */
function drawLungs(draw: Draw, { canvas, lung, lungs }: Anatomy): void {
  const texture = latticeNoise(draw, 9);
  const slope = between(draw, 2, 20);
  for (const shape of lungs) fillEllipse(canvas, shape, (u, v) => lung + slope * v + 9 * texture(u, v));
  for (const shape of lungs) {
    const side = Math.sign(shape.u);
    const inner = { u: shape.u - side * shape.a * 0.75, v: shape.v + 0.05 };
    vesselTree(canvas, draw, inner, shape, between(draw, 120, 185));
  }
}

/** Peripheral ground-glass patches, mostly low and at the back: the sign the positive class is drawn with. */
function drawGroundGlass(draw: Draw, anatomy: Anatomy): void {
  const patches = 2 + drawInteger(draw, 4);
  const texture = latticeNoise(draw, 16);
  for (let patch = 0; patch < patches; patch += 1) {
    const shape = anatomy.lungs[drawInteger(draw, 2)]!;
    const angle = between(draw, -0.35, 1.25) * (Math.PI / 2);
    const outward = Math.sign(shape.u);
    const center = {
      u: shape.u + outward * shape.a * 0.8 * Math.cos(angle),
      v: shape.v + shape.b * 0.8 * Math.sin(angle),
    };
    const density = between(draw, 50, 115);
    const reach = { a: between(draw, 0.13, 0.26), b: between(draw, 0.15, 0.34) };
    blobs(anatomy.canvas, shape, { ...center, ...reach }, (u, v) => density * (0.75 + 0.5 * texture(u, v)));
  }
}

/** Things that are not the sign: a round nodule, or a band of denser lung lying on the back. */
function drawDistractors(draw: Draw, { canvas, lungs }: Anatomy): void {
  if (draw() < 0.3) {
    const shape = lungs[drawInteger(draw, 2)]!;
    const radius = between(draw, 0.02, 0.05);
    fillEllipse(
      canvas,
      {
        u: shape.u + between(draw, -0.15, 0.15),
        v: shape.v + between(draw, -0.3, 0.3),
        a: radius,
        b: radius * 1.3,
        power: 2,
      },
      between(draw, 150, 215),
    );
  }
  if (draw() < 0.3) {
    const strength = between(draw, 10, 30);
    for (const shape of lungs)
      blobs(canvas, shape, { u: shape.u, v: shape.v + shape.b, a: shape.a, b: 0.16 }, () => strength);
  }
}

/** Heart and great vessels, windpipe and spine. */
function drawMiddle(draw: Draw, { canvas, tissue }: Anatomy): void {
  const bright = Math.min(252, tissue + between(draw, 0, 18));
  fillEllipse(
    canvas,
    {
      u: between(draw, 0.02, 0.1),
      v: between(draw, -0.24, -0.08),
      a: between(draw, 0.19, 0.28),
      b: between(draw, 0.3, 0.44),
      power: 2.2,
      tilt: between(draw, -0.2, 0.3),
    },
    bright,
  );
  fillEllipse(canvas, { u: 0.02, v: 0.2, a: 0.12, b: 0.4, power: 2 }, tissue);
  if (draw() < 0.7) for (const u of [-0.06, 0.07]) fillEllipse(canvas, { u, v: 0.13, a: 0.028, b: 0.04, power: 2 }, 25);
  fillEllipse(canvas, { u: 0, v: 0.6, a: 0.15, b: 0.2, power: 2.4 }, 248);
  fillEllipse(canvas, { u: 0, v: 0.71, a: 0.05, b: 0.06, power: 2 }, tissue - 30);
  fillEllipse(canvas, { u: 0, v: 0.84, a: 0.035, b: 0.1, power: 2 }, 250);
}

/**
 * Draws a made-up slice, gray stored as RGB.
 *
 * @param options
 *   - `positive`: whether it gets ground-glass patches
 *   - `seed`: together with `index` fixes the slice
 *   - `index`: which slice of a seed, default 0
 *   - `size`: typical width in pixels, default 160; the slice is 0.85 to 1.25 times as wide and flatter than wide
 */
export function phantomPixels(options: PhantomPixelsOptions): Pixels {
  const { positive, seed, index, size } = checkOptions(phantomPixelsOptionsSchema, options, 'phantomPixels');
  const draw = makeDraw({ seed, sample: index, stream: STREAM.phantom });
  const anatomy = drawBody(draw, size);
  drawLungs(draw, anatomy);
  drawDistractors(draw, anatomy);
  if (positive) drawGroundGlass(draw, anatomy);
  drawMiddle(draw, anatomy);
  const gain = between(draw, 0.82, 1.1);
  const offset = between(draw, -12, 22);
  anatomy.canvas.each((_u, _v, value) => value * gain + offset);
  addNoise(anatomy.canvas, () => drawNormal(draw), between(draw, 3, 13));
  return anatomy.canvas.toPixels();
}
