/** Packed data sets on the command line: prepare, train, evaluate, and what is said when it cannot be. */
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePhantoms } from '../../src/data/phantoms/phantoms';
import { covidct, jsonLines } from './command';

const QUICK = ['--arch', 'tiny', '--image-size', '32', '--threads', '1', '--epochs', '2', '--json'];
let dir: string;
let phantoms: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-packed-'));
  phantoms = join(dir, 'phantoms');
  await makePhantoms(phantoms, { count: 40, size: 64 });
}, 120_000);
afterAll(() => rm(dir, { recursive: true, force: true }));

const json = async (...parts: string[]): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(...parts), 'utf8')) as Record<string, unknown>;
const losses = (stdout: string): unknown[] =>
  jsonLines(stdout).flatMap(({ type, trainLoss, validationLoss }) =>
    type === 'epoch' ? [[trainLoss, validationLoss]] : [],
  );

/** What a run says of its data but where they lie; the sizes of files apart, which a packed set has none of. */
async function dataOf(run: string) {
  const { data } = (await json(run, 'config.json')) as {
    data: Record<'train' | 'validation', Record<string, unknown> & { sizes?: string }>;
  };
  const splits = [data.train, data.validation];
  return {
    splits: splits.map((split) => ({ ...split, sizes: undefined })),
    sizes: splits.map(({ sizes }) => sizes),
  };
}

test('a training on the packed set is the training on the images, number by number, and so is the evaluation', async () => {
  const file = join(dir, 'all.pack');
  const prepared = await covidct(['prepare', '--data', phantoms, '--out', file]);
  expect(prepared).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^made-up slices: classes NonCOVID, COVID \(positive\); train 24 .*\n$/) as string,
  });
  expect(prepared.stdout).toMatch(
    /all\.pack: made-up slices, train 24, validation 8, test 8, as decoded, \d+\.\d MB\nFingerprint: [0-9a-f]{64}\n$/,
  );
  const images = await covidct(['train', '--data', phantoms, '--out', join(dir, 'from-images'), ...QUICK]);
  const packed = await covidct(['train', '--data', file, '--out', join(dir, 'from-pack'), ...QUICK]);
  expect([images.code, packed.code]).toEqual([0, 0]);
  expect(losses(packed.stdout)).toHaveLength(2);
  expect(losses(packed.stdout)).toEqual(losses(images.stdout));
  const ofImages = await dataOf(join(dir, 'from-images'));
  expect(ofImages.sizes).not.toContain(undefined);
  expect(await dataOf(join(dir, 'from-pack'))).toEqual({ ...ofImages, sizes: [undefined, undefined] });
  // Of the same data: the figures are the run's own and its report is brought up to date.
  const [one, other] = await Promise.all([
    covidct(['evaluate', '--model', join(dir, 'from-images'), '--data', file, '--json']),
    covidct(['evaluate', '--model', join(dir, 'from-pack'), '--data', phantoms, '--json']),
  ]);
  expect(one.stderr + other.stderr).not.toContain('was left as it was');
  expect(jsonLines(one.stdout)[0]?.['loss']).toBe(jsonLines(other.stdout)[0]?.['loss']);
  expect(await readdir(join(dir, 'from-images', 'pictures'))).toEqual(
    expect.arrayContaining(['confusion-matrix.png', 'roc.svg']),
  );
}, 240_000);

test('--resize: stored with the model, so that an original becomes the same input; other data than the originals', async () => {
  const file = join(dir, 'small.pack');
  const prepared = await covidct(['prepare', '--data', phantoms, '--out', file, '--resize', '48', '--json']);
  expect(jsonLines(prepared.stdout)).toMatchObject([
    { file, counts: { train: 24, validation: 8, test: 8 }, resize: 48, skipped: [] },
  ]);
  const run = join(dir, 'resized');
  expect((await covidct(['train', '--data', file, '--out', run, ...QUICK])).code).toBe(0);
  const { options, data } = (await json(run, 'config.json')) as {
    options: Record<'trainTransform' | 'evalTransform', { steps: unknown[] }>;
    data: { train: { fingerprint: string } };
  };
  for (const { steps } of [
    options.trainTransform,
    options.evalTransform,
    (await json(run, 'model.json'))['transform'] as { steps: unknown[] },
  ])
    expect(steps[0]).toEqual({ type: 'resize', size: 48 });
  expect(data.train.fingerprint).not.toBe(
    ((await json(dir, 'from-images', 'config.json'))['data'] as typeof data).train.fingerprint,
  );
  const [packed, originals] = await Promise.all(
    [file, phantoms].map((each) => covidct(['evaluate', '--model', run, '--data', each, '--json'])),
  );
  expect(jsonLines(originals!.stdout)[0]?.['loss']).toBe(jsonLines(packed!.stdout)[0]?.['loss']);
  expect(packed!.stderr).not.toContain('was left as it was');
  expect(originals!.stderr).toContain('was left as it was');
  expect(
    (await covidct(['prepare', '--data', file, '--out', join(dir, 'twice.pack'), '--resize', '32'])).stderr,
  ).toMatch(/were resized to a shorter side of 48 pixels already/);
}, 240_000);

test('what is there is kept, what is bad is said with the file and what to do', async () => {
  const file = join(dir, 'kept.pack');
  expect((await covidct(['prepare', '--data', phantoms, '--out', file, '--quiet'])).stdout).toBe('');
  const again = await covidct(['prepare', '--data', phantoms, '--out', file]);
  expect(again).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('--overwrite') });
  expect((await covidct(['prepare', '--data', phantoms, '--out', file, '--overwrite'])).code).toBe(0);
  expect((await covidct(['prepare', '--data', phantoms, '--out', file, '--resize', '-3'])).code).toBe(2);
  expect((await covidct(['prepare', '--data', phantoms])).code).toBe(2);
  await truncate(file, 5000);
  const cut = await covidct(['train', '--data', file, '--out', join(dir, 'none'), ...QUICK]);
  expect(cut).toMatchObject({ code: 1, stdout: '' });
  expect(cut.stderr).toMatch(
    /kept\.pack: expected \d+ bytes; it has 5000: it was cut off; copy it again or make it again with covidct prepare/,
  );
  await writeFile(file, 'something else');
  expect((await covidct(['evaluate', '--model', join(dir, 'from-images'), '--data', file])).stderr).toMatch(
    /expected a packed data set.*it begins with "something el"/,
  );
}, 120_000);

test('a file that cannot be decoded ends it or is left out, and says so', async () => {
  const damaged = join(dir, 'damaged');
  await cp(phantoms, damaged, { recursive: true });
  await writeFile(join(damaged, 'Images-processed', 'CT_COVID', 'phantom-covid-0001.png'), 'rubbish');
  const file = join(dir, 'damaged.pack');
  const refused = await covidct(['prepare', '--data', damaged, '--out', file]);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/cannot decode .*phantom-covid-0001\.png \(listed in .*\)/),
  });
  expect((await readdir(dir)).filter((name) => name.includes('damaged.pack'))).toEqual([]);
  const skipped = await covidct(['prepare', '--data', damaged, '--out', file, '--on-bad-file', 'skip']);
  expect(skipped).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/train 23,[^]*Left out: 1 file that/),
    stderr: expect.stringContaining('left out: Images-processed/CT_COVID/phantom-covid-0001.png'),
  });
}, 120_000);
