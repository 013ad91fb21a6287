/** Trainings and evaluations on a device that has too little memory: what is said, and what is left. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CovidCtError } from '../../../src/errors';
import type { NativeBatch } from '../../../src/addon/batch';
import type { NativeOutputs } from '../../../src/addon/types';
import type { Precision } from '../../../src/model/options';
import { evaluate } from '../../../src/train/evaluate';
import { RunFolder } from '../../../src/train/run-folder';
import { Trainer } from '../../../src/train/trainer';
import { FakeNetwork } from '../../helpers/fake-network';
import { CLASSES, RECIPE, inTemporaryFolder, makeDataset, setUp } from './made-up';

const full = new CovidCtError('ERR_OUT_OF_MEMORY', 'the device ran out of memory: tried to allocate 2 GiB');

/** Has room for so many images at a time. */
class Small extends FakeNetwork {
  override readonly precision: Precision = 'bf16';
  constructor(private readonly room: number) {
    super(CLASSES);
  }
  protected override step(...[batch, options]: Parameters<FakeNetwork['step']>): ReturnType<FakeNetwork['step']> {
    return batch.images.length > this.room ? Promise.reject(full) : super.step(batch, options);
  }
  override predict(batch: NativeBatch): Promise<NativeOutputs> {
    return batch.images.length > this.room ? Promise.reject(full) : super.predict(batch);
  }
}

test('a training step names batch and accumulation to try; with these, the same model trains', async () => {
  const [model, train] = [new Small(2), await makeDataset('train', 18)];
  const recipe = { ...RECIPE, epochs: 1, model: model.classifier };
  await expect(new Trainer({ ...recipe, batchSize: 4, accumulate: 2 }).fit(train, null)).rejects.toMatchObject({
    code: 'ERR_OUT_OF_MEMORY',
    cause: full,
    message: expect.stringContaining(
      'a training step with batchSize 4 and accumulate 2 (an effective batch ' +
        'of 8); try batchSize 2 and accumulate 4, the same effective batch',
    ) as string,
  });
  // Gradients and optimizer state are gone, the lock is open.
  expect(model.calls.at(-1)).toEqual({ type: 'reset' });
  expect((await new Trainer({ ...recipe, batchSize: 2, accumulate: 4 }).fit(train, null)).epochs).toHaveLength(1);
});

test('a failure in the middle keeps what was trained', async () => {
  await inTemporaryFolder(async (dir) => {
    const { trainer, train, validation, model } = await setUp({ out: dir });
    model.sabotage = { atStep: 12, error: full };
    await expect(trainer.fit(train, validation)).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY', cause: full });
    expect(await (await RunFolder.open(dir)).card()).toMatchObject({
      weights: expect.stringMatching(/^weights\/best-/) as string,
    });
  });
});

test('a failure before the first epoch has ended leaves no weights that could be taken for a model', async () => {
  await inTemporaryFolder(async (dir) => {
    const { trainer, train, validation, model } = await setUp({ out: dir, keep: 'both' });
    model.sabotage = { atStep: 2, error: full };
    await expect(trainer.fit(train, validation)).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
    expect(await (await RunFolder.open(dir)).card()).toBeNull();
    expect(await readdir(join(dir, 'weights'))).toEqual([]);
  });
});

test('an evaluation names a smaller batch, within a training as well', async () => {
  const [model, dataset] = [new Small(4), await makeDataset('validation', 10)];
  await expect(evaluate(model.classifier, dataset, { batchSize: 8 })).rejects.toMatchObject({
    code: 'ERR_OUT_OF_MEMORY',
    cause: full,
    message: expect.stringMatching(/the evaluation of validation with batchSize 8; try batchSize 4 \(/) as string,
  });
  expect((await evaluate(model.classifier, dataset, { batchSize: 4 })).samples).toHaveLength(10);
});

test('the run folder tells the precision, in its configuration and on the card', async () => {
  await inTemporaryFolder(async (dir) => {
    await new Trainer({ ...RECIPE, epochs: 1, model: new Small(8).classifier, out: dir }).fit(
      await makeDataset('train', 8),
      null,
    );
    for (const [file, expected] of [
      ['config.json', { model: { precision: 'bf16' } }],
      ['model.json', { precision: 'bf16' }],
    ] as const) {
      expect(JSON.parse(await readFile(join(dir, file), 'utf8'))).toMatchObject(expected);
    }
  });
});
