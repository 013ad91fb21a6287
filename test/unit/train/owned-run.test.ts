/** One training has a run folder at a time, and evaluations of several splits at once lose nothing. */
import { readFile, writeFile } from 'node:fs/promises';
import type * as FileSystem from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { RunBusyError } from '../../../src/errors';
import { summarize } from '../../../src/metrics/evaluation';
import { RunFolder } from '../../../src/train/run-folder';
import { Trainer } from '../../../src/train/trainer';
import { FakeNetwork } from '../../helpers/fake-network';
import { CLASSES, inTemporaryFolder, RECIPE, setUp } from './made-up';

test.each([false, true])('a second training is refused while one is under way, overwrite: %s', async (overwrite) => {
  await inTemporaryFolder(async (dir) => {
    const out = join(dir, 'run');
    const { trainer, train, validation } = await setUp({ out, epochs: 2 });
    const events = trainer.events(train, validation);
    for await (const event of { [Symbol.asyncIterator]: () => ({ next: () => events.next() }) })
      if (event.type === 'epoch') break;
    const before = await readFile(join(out, 'config.json'), 'utf8');
    const second = new Trainer({ ...RECIPE, model: new FakeNetwork(CLASSES).classifier, out, overwrite });
    const error: unknown = await second.fit(train, validation).catch((each: unknown) => each);
    // Without `overwrite` the run that is there is reason enough.
    if (overwrite) {
      expect(error).toBeInstanceOf(RunBusyError);
      expect(error).toMatchObject({ code: 'ERR_BUSY', owner: { pid: process.pid, what: 'Trainer.fit' } });
    } else expect(error).toMatchObject({ code: 'ERR_RUN_FOLDER' });
    await expect(RunFolder.create(out, { overwrite: true })).rejects.toThrow(RunBusyError);
    const resumed = await Trainer.resume(out).catch((each: unknown) => each);
    expect(resumed).not.toBeInstanceOf(Trainer); // the fake's architecture is not one of the addon's
    for (let event = await events.next(); event.done !== true; event = await events.next());
    expect(await readFile(join(out, 'config.json'), 'utf8')).toBe(before);
    const run = await RunFolder.open(out);
    expect((await run.history()).epochs).toHaveLength(2);
    expect((await run.card())?.weights).toBeDefined();
  });
});

test('a training that has lost its folder writes nothing over what another one has written', async () => {
  await inTemporaryFolder(async (dir) => {
    const out = join(dir, 'run');
    const { trainer, train, validation } = await setUp({ out, keep: 'both' });
    const files = [
      'history.jsonl',
      'progress.json',
      'model.json',
      'metrics.json',
      'weights/best-0123456789abcdef.safetensors',
    ];
    const read = (): Promise<string[]> => Promise.all(files.map((file) => readFile(join(out, file), 'utf8')));
    let before: string[] = [];
    const training = (async () => {
      for await (const { type } of trainer.events(train, validation)) {
        if (type !== 'checkpoint' || before.length > 0) continue;
        const claim = JSON.parse(await readFile(join(out, 'owner.lock'), 'utf8')) as Record<string, unknown>;
        await writeFile(join(out, 'owner.lock'), JSON.stringify({ ...claim, token: "another one's" }));
        for (const file of files) await writeFile(join(out, file), '{}\n');
        before = await read();
      }
    })();
    await expect(training).rejects.toMatchObject({ code: 'ERR_LOCK' });
    expect(await read()).toEqual(before);
  });
});

test.each([
  [18, true],
  [0, false],
])('%i files are looked at before a training whose run folder is there: %s', async (looks, isKept) => {
  await inTemporaryFolder(async (dir) => {
    const { trainer, train } = await setUp(isKept ? { out: join(dir, 'run') } : {});
    const samples = train.samples.map((sample, i) => ({ ...sample, source: join(dir, `${i}.png`) }));
    const stat = jest.spyOn(createRequire(__filename)('node:fs/promises') as typeof FileSystem, 'stat');
    const events = trainer.events({ ...train, samples });
    await events.next();
    expect(stat.mock.calls.filter(([path]) => String(path).endsWith('.png'))).toHaveLength(looks);
    stat.mockRestore();
    await events.return(undefined as never).catch(() => undefined);
  });
});

test('many evaluations at once are all kept', async () => {
  await inTemporaryFolder(async (dir) => {
    const run = await RunFolder.create(join(dir, 'run'));
    const samples = [0, 1].map((label) => ({
      id: `${label}.png`,
      path: null,
      label,
      probabilities: [1 - label, label],
      predicted: label,
      loss: 0.1,
    }));
    const splits = Array.from({ length: 12 }, (_, index) => `split-${index}`);
    await Promise.all(
      splits.map((split) => run.writeMetrics(summarize({ split, classes: CLASSES, samples, threshold: 0.5 }))),
    );
    expect(Object.keys(await run.metrics()).sort()).toEqual(splits.sort());
  });
});
