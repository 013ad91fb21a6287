/** What a run does not go on with, unless it is accepted and noted; and who else may have it. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { networkOf } from '../../src/model/classifier';
import { RunBusyError } from '../../src/errors';
import type { Dataset } from '../../src/data/types';
import { BASE, beginning, goingOn, makeFolderForRuns, stopped, toTheEnd, whole } from '../helpers/resume';
import type { Ending, Splits } from '../helpers/resume';
import type { ResumeOptions } from '../../src/train/trainer';
import { Trainer } from '../../src/train/trainer';
import { makeDataset } from '../unit/train/made-up';

let dir: string;
let splits: Splits;
let expected: Ending;
/** Stopped in the second epoch; every test goes on with a copy. */
let halfway: string;

beforeAll(async () => {
  dir = await makeFolderForRuns();
  splits = { train: await makeDataset('train', 22), validation: await makeDataset('validation', 9, { seed: 2 }) };
  expected = await whole(join(dir, 'base'), BASE, splits);
  halfway = join(dir, 'halfway');
  await stopped(halfway, BASE, splits, { leaveAfter: 9 });
});

afterAll(() => rm(dir, { recursive: true, force: true }));

let copies = 0;
async function copied(): Promise<string> {
  const out = join(dir, `copy-${(copies += 1)}`);
  await cp(halfway, out, { recursive: true });
  return out;
}

interface Config {
  readonly options: Record<string, unknown>;
  readonly model: { threads?: number };
  readonly versions: Record<string, string>;
  readonly resumed?: readonly { epoch: number; step: number; changes: string[]; time: string }[];
}

const configOf = async (out: string): Promise<Config> =>
  JSON.parse(await readFile(join(out, 'config.json'), 'utf8')) as Config;

async function edit(out: string, change: (config: Config) => unknown): Promise<void> {
  await writeFile(join(out, 'config.json'), JSON.stringify(change(await configOf(out))));
}

/** The error of a training that is to go on. */
async function refusal(out: string, { train, validation }: Splits, options: ResumeOptions = {}): Promise<unknown> {
  const trainer = await goingOn(out, options);
  const error: unknown = await trainer.fit(train, validation).then(
    () => null,
    (reason: unknown) => reason,
  );
  trainer.model.dispose();
  return error;
}

const relabeled = ({ samples, ...rest }: Dataset): Dataset => ({
  ...rest,
  samples: samples.map((sample, i) => (i === 3 ? { ...sample, label: 1 - sample.label } : sample)),
});
const shortened = ({ samples, ...rest }: Dataset): Dataset => ({ ...rest, samples: samples.slice(1) });

const DATA: Readonly<Record<string, readonly [(data: Splits) => Splits, string]>> = {
  'another label': [
    ({ train, ...rest }) => ({ ...rest, train: relabeled(train) }),
    'the training samples are others, or have other labels',
  ],
  'another label of the validation split': [
    ({ validation, ...rest }) => ({ ...rest, validation: relabeled(validation!) }),
    'the validation samples are others, or have other labels',
  ],
  'another order': [
    ({ train, ...rest }) => ({ ...rest, train: { ...train, samples: train.samples.toReversed() } }),
    'the training samples are in another order',
  ],
  'fewer samples': [
    ({ train, ...rest }) => ({ ...rest, train: shortened(train) }),
    'the number of training samples was 22, is 21',
  ],
  'no validation split': [(data) => ({ ...data, validation: null }), 'the validation split was "validation", is none'],
};

test.each(Object.entries(DATA))('%s is refused, or accepted and noted', async (_name, [changed, text]) => {
  const out = await copied();
  const before = await readFile(join(out, 'config.json'), 'utf8');
  expect(await refusal(out, changed(splits))).toMatchObject({
    code: 'ERR_RESUME',
    message: expect.stringContaining(`\n  ${text}\n`),
  });
  expect(await refusal(out, changed(splits), { accept: ['versions', 'threads', 'device', 'options'] })).toMatchObject({
    code: 'ERR_RESUME',
    message: expect.stringContaining('--accept data)'),
  });
  expect(await readFile(join(out, 'config.json'), 'utf8')).toBe(before);
  expect(await toTheEnd(out, changed(splits), { accept: ['data'] })).not.toEqual(expected);
  expect((await configOf(out)).resumed).toEqual([{ time: expect.any(String), epoch: 2, step: 3, changes: [text] }]);
});

test('other versions are refused, each with both, or accepted and noted; the numbers may be the same', async () => {
  const out = await copied();
  const { versions } = await configOf(out);
  await edit(out, (config) => ({ ...config, versions: { ...versions, libtorch: '2.0.0', 'covidct-torch': '0.0.1' } }));
  const texts = ['covidct-torch', 'libtorch'].map(
    (name) => `${name} was "${name === 'libtorch' ? '2.0.0' : '0.0.1'}", is "${versions[name]!}"`,
  );
  const error = await refusal(out, splits);
  expect(error).toMatchObject({ code: 'ERR_RESUME' });
  for (const text of texts) expect((error as Error).message).toContain(text);
  expect(await toTheEnd(out, splits, { accept: ['versions'] })).toEqual(expected);
  const after = await configOf(out);
  expect(after.resumed?.[0]?.changes.toSorted()).toEqual(texts.toSorted());
  expect(after.versions).toEqual(versions);
});

test('another number of threads is accepted where it is asked for, and noted; as many are used as before', async () => {
  const out = await copied();
  await toTheEnd(out, splits, { threads: 2 });
  const { model, resumed } = await configOf(out);
  expect(resumed?.[0]?.changes).toEqual(['threads was 1, is 2']);
  expect(model.threads).toBe(2);
  const again = await goingOn(out);
  expect(networkOf(again.model).threads).toBe(2);
  again.model.dispose();
});

test('every process that goes on is noted, in its order', async () => {
  const out = await copied();
  for (const accept of [['data'], []] as const) {
    const trainer = await goingOn(out, { accept });
    for await (const event of trainer.events(relabeled(splits.train), splits.validation))
      if (event.type === 'step') break;
    trainer.model.dispose();
  }
  await toTheEnd(out, { ...splits, train: relabeled(splits.train) });
  const { resumed } = await configOf(out);
  expect(resumed?.map(({ epoch, step, changes }) => [epoch, step, changes.length])).toEqual([
    [2, 3, 1],
    [2, 4, 0],
    [2, 5, 0],
  ]);
});

test('a resumed Trainer trains once; its model trains again with another', async () => {
  const trainer = await goingOn(await copied());
  await trainer.fit(splits.train, splits.validation);
  await expect(trainer.fit(splits.train, splits.validation)).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: 'Trainer.fit: a resumed run goes on once; call Trainer.resume again',
  });
  const { epochs } = await new Trainer({ model: trainer.model, ...BASE, epochs: 1 }).fit(splits.train);
  expect(epochs).toHaveLength(1);
  trainer.model.dispose();
});

test('while a training has the run, nobody else goes on with it', async () => {
  const out = await copied();
  const [first, second] = [await goingOn(out), await goingOn(out)];
  const events = first.events(splits.train, splits.validation);
  await events.next();
  await expect(second.fit(splits.train, splits.validation)).rejects.toBeInstanceOf(RunBusyError);
  for await (const event of events) void event;
  for (const { model } of [first, second]) model.dispose();
  expect(await toTheEnd(out, splits)).toEqual(expected);
});

test('what another process has done since the checkpoint was read is gone on from', async () => {
  const out = await copied();
  const early = await goingOn(out);
  const between = await goingOn(out);
  let steps = 0;
  for await (const event of between.events(splits.train, splits.validation))
    if (event.type === 'step' && (steps += 1) === 5) break;
  let first: unknown = null;
  for await (const event of early.events(splits.train, splits.validation)) first ??= event;
  expect(first).toMatchObject({ type: 'start', resumed: { epoch: 3, step: 2 } });
  expect((await configOf(out)).resumed?.map(({ epoch, step }) => [epoch, step])).toEqual([
    [2, 3],
    [3, 2],
  ]);
  for (const { model } of [early, between]) model.dispose();
  expect(await toTheEnd(out, splits)).toEqual(expected);
});

test('a run that another one has replaced meanwhile is not gone on with', async () => {
  const out = await copied();
  const early = await goingOn(out);
  const other = await beginning(out, { ...BASE, overwrite: true, learningRate: 0.5, epochs: 1 }, splits);
  await other.fit(splits.train, splits.validation);
  const replaced = await readFile(join(out, 'model.json'), 'utf8');
  await expect(early.fit(splits.train, splits.validation)).rejects.toMatchObject({
    code: 'ERR_RESUME',
    message: expect.stringContaining('it was replaced by one of'),
  });
  expect(await readFile(join(out, 'model.json'), 'utf8')).toBe(replaced);
  for (const { model } of [early, other]) model.dispose();
});

test('a run of a version without checkpoints, a folder that is none, and options that cannot be given', async () => {
  const old = await copied();
  await rm(join(old, 'checkpoints'), { recursive: true });
  await edit(old, ({ model, ...config }) => ({ ...config, model: { ...model, threads: undefined } }));
  await expect(goingOn(old)).rejects.toMatchObject({
    code: 'ERR_RESUME',
    message: expect.stringContaining('there is none; train again into another folder'),
  });
  await expect(goingOn(join(dir, 'nowhere'))).rejects.toMatchObject({ code: 'ERR_RUN_FOLDER' });
  for (const options of [{ learningRate: 1 }, { accept: ['all'] }, { epochs: 0 }, { out: 'x' }])
    await expect(goingOn(old, options as never)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
});

test('a history or an event file that is shorter than the checkpoint says is refused', async () => {
  const lost = await copied();
  await writeFile(join(lost, 'history.jsonl'), '');
  expect(await refusal(lost, splits)).toMatchObject({
    code: 'ERR_RESUME',
    message: expect.stringMatching(/history\.jsonl: expected the \d+ lines that the checkpoint counts; it has 0/),
  });
  const cut = await copied();
  await writeFile(join(cut, 'events.jsonl'), '');
  expect(await refusal(cut, splits)).toMatchObject({
    code: 'ERR_RESUME',
    message: expect.stringMatching(/events\.jsonl: expected at least \d+ bytes, as the checkpoint says; got 0/),
  });
  // What was refused can be mended.
  await cp(join(halfway, 'history.jsonl'), join(lost, 'history.jsonl'));
  expect(await toTheEnd(lost, splits)).toEqual(expected);
});

test('with a signal that has fired already nothing is lost', async () => {
  const out = await copied();
  const trainer = await goingOn(out);
  const { stop } = await trainer.fit(splits.train, splits.validation, { signal: AbortSignal.abort() });
  expect(stop.reason).toBe('aborted');
  trainer.model.dispose();
  expect(await toTheEnd(out, splits)).toEqual(expected);
});
