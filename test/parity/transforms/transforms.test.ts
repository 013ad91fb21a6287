/** Transforms against torchvision on PIL images: sizes, boxes and their distribution, decoded bytes and pixels. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { makeBatch } from '../../../src/data/batch';
import { decodeImage } from '../../../src/data/images/decode';
import { tutorialEval, aspectEval } from '../../../src/data/transforms/presets';
import { centerCropBox } from '../../../src/data/transforms/steps/center-crop';
import { planTransform } from '../../../src/data/transforms/program';
import { randomCropBox } from '../../../src/data/transforms/steps/random-resized-crop';
import { resizedSize } from '../../../src/data/transforms/steps/resize';
import type { PixelRow } from '../../../src/data/transforms/step';
import { makeDraw } from '../../../src/data/random';
import { compose } from '../../../src/data/transforms/transform';
import { randomHorizontalFlip } from '../../../src/data/transforms/steps/random-horizontal-flip';
import { resize } from '../../../src/data/transforms/steps/resize';
import { toTensor } from '../../../src/data/transforms/steps/to-tensor';
import type { Pixels } from '../../../src/data/types';
import { loadNative } from '../../../src/addon/load';
import { PIXEL_OP } from '../../../src/addon/batch';
import type { NativeBatch } from '../../../src/addon/batch';
import type { NativeClassifier } from '../../../src/addon/types';

type Five = [number, number, number, number, number];
interface Reference {
  images: {
    kind: 'eval' | 'aspect' | 'train';
    image: string;
    output: string;
    size: number;
    before: number;
    box?: [number, number, number, number];
    flip?: boolean;
  }[];
  files: { file: string; height: number; width: number; rgb: string }[];
  resizedSizes: Five[];
  centerCrops: [...Five, number][];
  cropBoxes: {
    height: number;
    width: number;
    scale: [number, number];
    ratio: [number, number];
    uniforms: number[];
    box: [number, number, number, number];
  }[];
  drawnBoxes: {
    height: number;
    width: number;
    top: number[];
    left: number[];
    boxHeight: number[];
    boxWidth: number[];
  }[];
}

const FIXTURES = path.join(__dirname, 'fixtures');
const reference = JSON.parse(readFileSync(path.join(FIXTURES, 'reference.json'), 'utf8')) as Reference;

/** Largest distance between the empirical distribution functions of two samples. */
function kolmogorovSmirnov(first: readonly number[], second: readonly number[]): number {
  const share = (values: readonly number[], limit: number): number =>
    values.filter((value) => value <= limit).length / values.length;
  return Math.max(
    ...[...new Set([...first, ...second])].map((limit) => Math.abs(share(first, limit) - share(second, limit))),
  );
}

describe('decoding equals PIL', () => {
  test.each(reference.files.map((entry) => [entry.file, entry] as const))(
    '%s',
    async (file, { height, width, rgb }) => {
      const pixels = await decodeImage(path.join(FIXTURES, file));
      expect([pixels.height, pixels.width]).toEqual([height, width]);
      expect(Buffer.from(pixels.data).equals(Buffer.from(rgb, 'base64'))).toBe(true);
    },
  );
});

describe('arithmetic equals torchvision', () => {
  test('Resize with one number', () => {
    expect(reference.resizedSizes.length).toBeGreaterThan(100);
    for (const [height, width, size, outHeight, outWidth] of reference.resizedSizes) {
      expect([height, width, size, resizedSize({ height, width }, size)]).toEqual([
        height,
        width,
        size,
        { height: outHeight, width: outWidth },
      ]);
    }
  });

  test('CenterCrop, padding included', () => {
    expect(reference.centerCrops.length).toBeGreaterThan(100);
    for (const [height, width, cropHeight, cropWidth, top, left] of reference.centerCrops) {
      const box = centerCropBox({ height, width }, [cropHeight, cropWidth]);
      expect([height, width, cropHeight, cropWidth, box]).toEqual([
        height,
        width,
        cropHeight,
        cropWidth,
        { top, left, height: cropHeight, width: cropWidth },
      ]);
    }
  });

  test('RandomResizedCrop.get_params on the same uniform numbers, fallback included', () => {
    const fallbacks = reference.cropBoxes.filter(({ uniforms }) => uniforms.length === 20);
    expect(fallbacks.length).toBeGreaterThan(5);
    for (const { height, width, scale, ratio, uniforms, box } of reference.cropBoxes) {
      let used = 0;
      const drawn = randomCropBox({ height, width }, scale, ratio, () => uniforms[used++]!);
      expect([drawn.top, drawn.left, drawn.height, drawn.width, used]).toEqual([...box, uniforms.length]);
    }
  });
});

describe('draws are distributed as torchvision draws them', () => {
  const n = 2400;

  test.each(reference.drawnBoxes.map((entry) => [`${entry.height} x ${entry.width}`, entry] as const))(
    'boxes in %s',
    (_name, theirs) => {
      const boxes = Array.from({ length: n }, (_, sample) =>
        randomCropBox(theirs, [0.5, 1], [3 / 4, 4 / 3], makeDraw({ seed: 5, sample })),
      );
      const m = theirs.top.length;
      const limit = 1.95 * Math.sqrt((n + m) / (n * m)); // two-sided level 0.001
      const ours = {
        top: boxes.map((b) => b.top),
        left: boxes.map((b) => b.left),
        boxHeight: boxes.map((b) => b.height),
        boxWidth: boxes.map((b) => b.width),
      };
      for (const name of ['top', 'left', 'boxHeight', 'boxWidth'] as const) {
        expect([name, kolmogorovSmirnov(ours[name], theirs[name]) < limit]).toEqual([name, true]);
      }
    },
  );

  test.each([0, 0.25, 0.5, 1])('flips with probability %d', (p) => {
    const transform = compose([resize([8, 8]), randomHorizontalFlip(p), toTensor()]);
    const flips = Array.from(
      { length: n },
      (_, sample) => planTransform(transform, { height: 8, width: 8 }, makeDraw({ seed: 5, sample })).length,
    );
    const share = flips.reduce((sum, value) => sum + value, 0) / n;
    expect(Math.abs(share - p)).toBeLessThanOrEqual(3.3 * Math.sqrt((p * (1 - p)) / n));
  });
});

describe('pixels equal torchvision through the addon', () => {
  let classifier: NativeClassifier | undefined;

  beforeAll(async () => {
    const native = loadNative();
    classifier = new native.Classifier({
      architecture: 'tiny',
      classes: 2,
      device: 'cpu',
      threads: 1,
      seed: 0,
      dropout: 0,
    });
    await classifier.ready();
  });
  afterAll(() => classifier?.dispose());

  /** Bytes the network sees, height × width × 3. */
  async function seen(batch: NativeBatch): Promise<number[]> {
    const values = await classifier!.input(batch);
    const plane = batch.height * batch.width;
    return Array.from({ length: plane * 3 }, (_, index) => values[(index % 3) * plane + Math.floor(index / 3)]! * 255);
  }

  function batchFor(pixels: Pixels, { kind, size, before, box, flip }: Reference['images'][number]): NativeBatch {
    if (kind === 'eval') return makeBatch([pixels], null, tutorialEval({ size, normalization: 'none' }));
    if (kind === 'aspect') return makeBatch([pixels], null, aspectEval({ size, normalization: 'none' }));
    const resized = resizedSize(pixels, before);
    const rows: PixelRow[] = [
      [PIXEL_OP.RESIZE, resized.height, resized.width, 0, 0],
      [PIXEL_OP.CROP, ...box!],
      [PIXEL_OP.RESIZE, size, size, 0, 0],
    ];
    if (flip) rows.push([PIXEL_OP.FLIP, 0, 0, 0, 0]);
    const base = makeBatch([pixels], null, tutorialEval({ size, normalization: 'none' }));
    return { ...base, programs: Int32Array.from(rows.flat()), programOffsets: Int32Array.from([0, rows.length]) };
  }

  test.each(reference.images.map((entry) => [entry.output, entry] as const))('%s', async (_name, entry) => {
    const expected = await decodeImage(path.join(FIXTURES, entry.output));
    const actual = await seen(batchFor(await decodeImage(path.join(FIXTURES, entry.image)), entry));
    const differences = actual.map((value, index) => Math.abs(value - expected.data[index]!));
    expect(actual).toHaveLength(entry.size * entry.size * 3);
    expect(Math.max(...differences)).toBeLessThanOrEqual(2);
    expect(differences.reduce((sum, value) => sum + value, 0) / differences.length).toBeLessThanOrEqual(0.25);
  });
});
