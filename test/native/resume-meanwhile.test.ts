/** What becomes of a run between two trainings: checkpoints that go, metrics of other weights, a disk that fills. */
import { readdir, rename, rm } from 'node:fs/promises';
import type * as FileSystem from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { NativeTensor } from '../../src/addon/types';
import { checkpointNames, readLatestCheckpoint } from '../../src/train/checkpoint';
import { evaluate } from '../../src/train/evaluate';
import { RunFolder } from '../../src/train/run-folder';
import { BASE, goingOn, makeFolderForRuns, stopped, whole } from '../helpers/resume';
import type { Splits } from '../helpers/resume';
import { makeDataset } from '../unit/train/made-up';

/** The module as the library has it, so that its functions can be replaced. */
const files = createRequire(__filename)('node:fs/promises') as typeof FileSystem;

let dir: string;
let splits: Splits;

beforeAll(async () => {
  dir = await makeFolderForRuns();
  splits = { train: await makeDataset('train', 22), validation: await makeDataset('validation', 9, { seed: 2 }) };
});

afterEach(() => jest.restoreAllMocks());
afterAll(() => rm(dir, { recursive: true, force: true }));

test('a checkpoint that a training replaces while it is read is not taken for damaged', async () => {
  const out = join(dir, 'replaced');
  await stopped(out, BASE, splits, { leaveAfter: 9 });
  const [latest] = await checkpointNames(out);
  const next = latest!.name.replace(/^epoch-\d+/, 'epoch-0009');
  const { stat } = files;
  jest.spyOn(files, 'stat').mockImplementationOnce(async (...args: Parameters<typeof stat>) => {
    await rename(join(out, 'checkpoints', latest!.name), join(out, 'checkpoints', next));
    return await stat(...args);
  });
  const said: string[] = [];
  const { path } = await readLatestCheckpoint(out, (message) => said.push(message));
  expect([path, said]).toEqual([join(out, 'checkpoints', next), []]);
});

test('metrics of the test split do not outlast the weights that they are of', async () => {
  const out = join(dir, 'more-epochs');
  await whole(out, { ...BASE, epochs: 1, keep: 'last' }, splits);
  const run = await RunFolder.open(out);
  const trainer = await goingOn(out, { epochs: 2 });
  const { train, validation } = splits;
  await run.writeMetrics(await evaluate(trainer.model, train, { split: 'test', transform: trainer.model.transform }));
  expect(Object.keys(await run.metrics()).sort()).toEqual(['test', 'validation']);
  const before = await run.card();
  await trainer.fit(train, validation);
  trainer.model.dispose();
  expect((await run.card())?.sha256).not.toBe(before?.sha256);
  expect(Object.keys(await run.metrics())).toEqual(['validation']);
});

test('what the run itself takes of the disk is room for what replaces it', async () => {
  const out = join(dir, 'disk');
  await stopped(out, BASE, splits, { leaveAfter: 9 });
  const sizes = ['weights', 'checkpoints'].map(async (folder) =>
    (await readdir(join(out, folder))).map(async (name) => (await files.stat(join(out, folder, name))).size),
  );
  const taken = (await Promise.all((await Promise.all(sizes)).flat())).reduce((sum, size) => sum + size, 0);
  const trainer = await goingOn(out);
  const bytesOf = ({ shape, dtype }: NativeTensor): number => shape.reduce((a, b) => a * b, dtype === 'I64' ? 8 : 4);
  const weightBytes = trainer.model.tensors().reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  // As much as a beginning needs, two checkpoints with the momentum among it, less what has been written since.
  const beginning = 2 * weightBytes + 2 * 3 * weightBytes + 32 * 2 ** 20;
  const info = await files.statfs(out);
  jest.spyOn(files, 'statfs').mockResolvedValue({ ...info, bsize: 1, bavail: beginning - taken });
  const { stop } = await trainer.fit(splits.train, splits.validation);
  trainer.model.dispose();
  expect(stop.reason).toBe('epochs');
});

test('options that were changed by hand are the fault of the run folder', async () => {
  const out = join(dir, 'by-hand');
  await stopped(out, BASE, splits, { leaveAfter: 1 });
  const path = join(out, 'config.json');
  await files.writeFile(path, (await files.readFile(path, 'utf8')).replace('"seed": 5', '"seed": "five"'));
  await expect(goingOn(out)).rejects.toMatchObject({
    code: 'ERR_RUN_FOLDER',
    message: expect.stringContaining('config.json: expected the options of a run; seed: ') as string,
  });
});
