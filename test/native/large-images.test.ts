/** Extreme shapes and drawings through predict, explain, training, the store and prepare: what they cost is bounded. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Pixels } from '../../src/data/types';
import { makeBatch } from '../../src/data/batch';
import { compose } from '../../src/data/transforms/transform';
import { resize } from '../../src/data/transforms/steps/resize';
import { toTensor } from '../../src/data/transforms/steps/to-tensor';
import { Resizer } from '../../src/model/resizer';
import { coloredPhantom, makePixels } from '../helpers/images';
import { raw } from './inputs';

const CHILD = join(__dirname, 'child', 'large-images.cjs');
const MOST_BYTES = 250e6;

const run = promisify(execFile);
const testOnLinux = process.platform === 'linux' ? test : test.skip; // the peak is read from /proc
const folder = mkdtempSync(join(tmpdir(), 'covidct-large-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Told {
  readonly outcomes: Readonly<Record<string, string>>;
  /** Bytes by which the peak of the process's memory rose over that of a small image. */
  readonly grown: number;
}

const SIDE = /^ERR_BAD_IMAGE: it has (1 x 3000000|3000000 x 1) pixels, and a side more than maxSide 16384$/;
const PIXELS = /^ERR_BAD_IMAGE: it has 60000 x 1200 pixels, more than maxPixels 50000000$/;
const DRAWING = /^ERR_BAD_IMAGE: it is gzip-compressed data/;
const GROWS = /^ERR_BAD_IMAGE: it has .* would make \d+ on the way to the network/;
const DONE = /^done$/;

testOnLinux.each([
  ['predict', [SIDE, SIDE, DONE, DONE]],
  ['predictAspect', [SIDE, SIDE, GROWS, GROWS]],
  ['predictRaised', [DONE, DONE, DONE, DONE]],
  ['explain', [SIDE, SIDE, DONE, DONE]],
  ['train', [SIDE, SIDE, GROWS, GROWS]],
  ['trainAspect', [SIDE, SIDE, GROWS, GROWS]],
  ['store', [SIDE, SIDE, DONE, DONE]],
  ['prepare', [SIDE, SIDE, GROWS, GROWS]],
] as const)(
  '%s',
  async (way, expected) => {
    const { stdout } = await run(process.execPath, [CHILD, way, folder], { timeout: 110_000 });
    const { outcomes, grown } = JSON.parse(stdout) as Told;
    const told = Object.values(outcomes);
    [...expected, DRAWING, PIXELS].forEach((pattern, i) => expect(told[i]).toMatch(pattern));
    expect(told).toHaveLength(6);
    expect(grown).toBeLessThan(MOST_BYTES);
  },
  120_000,
);

describe('the order of the passes of a resize', () => {
  const image = (height: number, width: number): Pixels => makePixels(height, width, (i) => (i * 2_654_435_761) >>> 24);

  /** Largest and mean difference of one call from columns first and rows then, which are two calls. */
  async function difference(source: Pixels, height: number, width: number): Promise<[number, number]> {
    using resizer = new Resizer();
    const [one, columns] = await Promise.all([
      resizer.resize(source, { height, width }),
      resizer.resize(source, { height: source.height, width }),
    ]);
    const two = await resizer.resize(columns, { height, width });
    const differences = one.data.map((value, i) => Math.abs(value - two.data[i]!));
    return [
      differences.reduce((a, b) => Math.max(a, b), 0),
      differences.reduce((a, b) => a + b, 0) / differences.length,
    ];
  }

  test('is columns, rows, as Pillow has it, while the image between them has at most 2^24 pixels', async () => {
    expect(await difference(image(700, 500), 224, 224)).toEqual([0, 0]);
    expect(await difference(image(8192, 60), 100, 2048)).toEqual([0, 0]);
  });

  test('is the one with fewer pixels between them above it, which differs by a level', async () => {
    const [most, mean] = await difference(image(8193, 60), 100, 2048);
    expect(most).toBe(1);
    expect(mean).toBeLessThan(0.3);
  });

  test('is the same for images that are kept on the device, beside others of their batch', async () => {
    const handle = await raw();
    const pixels = [coloredPhantom(1, 40), image(8193, 24), coloredPhantom(2, 50)].map((each, i) => ({
      ...each,
      key: i + 1,
    }));
    const batch = makeBatch(pixels, null, compose([resize([60, 2100]), resize([64, 64]), toTensor()]));
    const expected = await handle.input(batch);
    await handle.keepPixels(2 ** 22);
    for (let round = 0; round < 2; round += 1) expect(await handle.input(batch)).toEqual(expected);
  });
});
