/** The shapes made-up slices are drawn with, in the body's own coordinates: the body outline is the unit circle. */
import type { Draw } from '../random';
import type { Pixels } from '../types';

// Named once: under a test runner each look-up of a global is slow, and these run for every pixel.
const { abs, ceil, cos, exp, floor, hypot, max, min, sin } = Math;

/** Where the body lies in the image, in pixels. */
interface Frame {
  readonly x: number;
  readonly y: number;
  /** Half width and half height. */
  readonly a: number;
  readonly b: number;
  /** Radians. */
  readonly tilt: number;
}

/** A superellipse |x/a|^power + |y/b|^power <= 1, turned by `tilt`; u runs to the right and v down. */
export interface Ellipse {
  readonly u: number;
  readonly v: number;
  readonly a: number;
  readonly b: number;
  readonly power?: number;
  readonly tilt?: number;
}

type Field = (u: number, v: number) => number;

/** Gray levels as floats, addressed in body coordinates. */
export class Canvas {
  readonly values: Float32Array;

  constructor(
    readonly width: number,
    readonly height: number,
    readonly frame: Frame,
  ) {
    this.values = new Float32Array(width * height);
  }

  /** Pixel at a place of the body: [column, row], with fractions. */
  place(u: number, v: number): [number, number] {
    const { x, y, a, b, tilt } = this.frame;
    return [x + u * a * cos(tilt) - v * b * sin(tilt), y + u * a * sin(tilt) + v * b * cos(tilt)];
  }

  /** Replaces each value by what `paint` makes of its place and itself; only around `near` where that is given. */
  each(paint: (u: number, v: number, value: number) => number, near?: { u: number; v: number; reach: number }): void {
    const { x, y, a, b, tilt } = this.frame;
    const cosine = cos(tilt);
    const sine = sin(tilt);
    const [column, row] = near === undefined ? [0, 0] : this.place(near.u, near.v);
    const reach = near === undefined ? Infinity : near.reach * max(a, b) + 2;
    const [top, bottom] = [max(0, floor(row - reach)), min(this.height - 1, ceil(row + reach))];
    const [left, right] = [max(0, floor(column - reach)), min(this.width - 1, ceil(column + reach))];
    for (let r = top; r <= bottom; r += 1) {
      for (let c = left; c <= right; c += 1) {
        const index = r * this.width + c;
        this.values[index] = paint(
          ((c - x) * cosine + (r - y) * sine) / a,
          ((r - y) * cosine - (c - x) * sine) / b,
          this.values[index]!,
        );
      }
    }
  }

  /** Rounded and clamped to [0, 255], gray as RGB. */
  toPixels(): Pixels {
    const gray = Uint8ClampedArray.from(this.values); // rounds and clamps
    const data = new Uint8Array(gray.length * 3);
    for (let index = 0; index < data.length; index += 1) data[index] = gray[(index / 3) | 0]!;
    return { data, width: this.width, height: this.height };
  }
}

/** 0 at the center, 1 on the edge, growing outward. */
function radius({ u, v, a, b, power = 2, tilt = 0 }: Ellipse): Field {
  const cosine = cos(tilt);
  const sine = sin(tilt);
  return (x, y) => {
    const along = ((x - u) * cosine + (y - v) * sine) / a;
    const across = ((y - v) * cosine - (x - u) * sine) / b;
    if (power === 2) return hypot(along, across);
    return (abs(along) ** power + abs(across) ** power) ** (1 / power);
  };
}

/** A circle around a shape grown by `factor`. */
function around({ u, v, a, b }: Ellipse, factor = 1): { u: number; v: number; reach: number } {
  return { u, v, reach: factor * hypot(a, b) };
}

/** How much of a pixel a shape covers, in [0, 1]: a soft edge about two pixels wide. */
function coverage(canvas: Canvas, shape: Ellipse): Field {
  const distance = radius(shape);
  const pixels = min(shape.a * canvas.frame.a, shape.b * canvas.frame.b) / 2;
  return (u, v) => min(1, max(0, 0.5 + (1 - distance(u, v)) * pixels));
}

/** Paints a shape over what is there. */
export function fillEllipse(canvas: Canvas, shape: Ellipse, level: number | Field): void {
  const covers = coverage(canvas, shape);
  canvas.each((u, v, value) => {
    const share = covers(u, v);
    if (share === 0) return value;
    return value + share * ((typeof level === 'number' ? level : level(u, v)) - value);
  }, around(shape));
}

/** Adds a cloud that fades from its center outward, inside `mask` only. */
export function blobs(canvas: Canvas, mask: Ellipse, cloud: Ellipse, strength: Field): void {
  const inside = coverage(canvas, mask);
  const distance = radius(cloud);
  canvas.each(
    (u, v, value) => {
      const far = distance(u, v);
      if (far > 2.2) return value;
      return value + inside(u, v) * strength(u, v) * exp(-(far ** 3));
    },
    around(cloud, 2.2),
  );
}

/** Smooth noise in [-1, 1]: random values on a lattice, blended between its points. */
export function latticeNoise(draw: Draw, cells: number): Field {
  const side = 2 * cells + 2;
  const lattice = Float32Array.from({ length: side * side }, () => 2 * draw() - 1);
  const ease = (t: number): number => t * t * (3 - 2 * t);
  return (u, v) => {
    const x = min(side - 1.001, max(0, (u + 1) * cells));
    const y = min(side - 1.001, max(0, (v + 1) * cells));
    const column = floor(x);
    const row = floor(y);
    const [fx, fy] = [ease(x - column), ease(y - row)];
    const at = (r: number, c: number): number => lattice[r * side + c]!;
    const top = at(row, column) * (1 - fx) + at(row, column + 1) * fx;
    const bottom = at(row + 1, column) * (1 - fx) + at(row + 1, column + 1) * fx;
    return top * (1 - fy) + bottom * fy;
  };
}

/** A bright dot that fades out over about a pixel. */
function stamp(canvas: Canvas, u: number, v: number, pixelRadius: number, level: number): void {
  const [column, row] = canvas.place(u, v);
  const reach = ceil(pixelRadius + 1);
  for (let r = max(0, floor(row) - reach); r <= min(canvas.height - 1, ceil(row) + reach); r += 1) {
    for (let c = max(0, floor(column) - reach); c <= min(canvas.width - 1, ceil(column) + reach); c += 1) {
      const share = min(1, max(0, pixelRadius + 0.5 - hypot(r - row, c - column)));
      const index = r * canvas.width + c;
      const there = canvas.values[index]!;
      canvas.values[index] = there + share * max(0, level - there);
    }
  }
}

/** Vessels that leave `root`, taper and fork while they stay inside `lung`. */
export function vesselTree(
  canvas: Canvas,
  draw: Draw,
  root: { u: number; v: number },
  lung: Ellipse,
  level: number,
): void {
  const distance = radius({ ...lung, a: lung.a * 0.95, b: lung.b * 0.95 });
  const step = 0.012;
  const grow = (u: number, v: number, heading: number, thickness: number, depth: number): void => {
    let [x, y, angle, width] = [u, v, heading, thickness];
    const length = 8 + floor(14 * draw());
    for (let i = 0; i < length && distance(x, y) < 1; i += 1) {
      stamp(canvas, x, y, width, level * (0.75 + 0.25 * min(1, width)));
      angle += (draw() - 0.5) * 0.35;
      width *= 0.975;
      x += step * cos(angle);
      y += step * 1.3 * sin(angle);
    }
    if (depth === 0 || distance(x, y) >= 1) return;
    for (const turn of [-1, 1])
      if (draw() < 0.9) grow(x, y, angle + turn * (0.25 + 0.5 * draw()), width * 0.8, depth - 1);
  };
  const outward = lung.u < root.u ? Math.PI : 0;
  const thick = (0.9 + 0.6 * draw()) * (canvas.frame.a / 72);
  for (const heading of [-1.15, -0.6, -0.1, 0.4, 0.9])
    grow(root.u, root.v, outward + heading + (draw() - 0.5) * 0.4, thick, 4);
}

/**
 * Adds noise with the given standard deviation, half of it shared between neighbors as a reconstruction kernel does.
 */
export function addNoise(canvas: Canvas, normal: () => number, deviation: number): void {
  let before = 0;
  canvas.each((_u, _v, value) => {
    const fresh = normal();
    const mixed = (fresh + 0.6 * before) / hypot(1, 0.6);
    before = fresh;
    return value + deviation * mixed;
  });
}
