/** Damaged files of a run end in ERR_RUN_FOLDER or ERR_MODEL, never in a TypeError; what is unknown is let through. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CovidCtError } from '../../../src/errors';
import { summarize } from '../../../src/metrics/evaluation';
import { writeReport } from '../../../src/report/run-report';
import { RunFolder } from '../../../src/train/run-folder';

const dir = mkdtempSync(join(tmpdir(), 'covidct-run-files-'));
afterAll(() => rmSync(dir, { recursive: true }));

const split = { name: 'x train', samples: 1, classes: { a: 1, b: 0 }, fingerprint: 'f' };
const epoch = {
  type: 'epoch',
  epoch: 1,
  learningRate: 0.1,
  trainLoss: 1,
  trainAccuracy: 0.5,
  validationLoss: null,
  validationAccuracy: null,
  validationAuc: null,
  validationSensitivity: null,
  validationSpecificity: null,
  runningLoss: null,
  runningAccuracy: null,
  best: true,
  seconds: 1,
};
const FILES: Readonly<Record<string, string>> = {
  'config.json': JSON.stringify({
    format: 'covidct-torch/run',
    formatVersion: 1,
    created: 'now',
    options: { epochs: 1 },
    model: { architecture: 'tiny', classes: ['a', 'b'], device: 'cpu', dropout: null, startedFrom: null },
    data: { train: split, validation: null },
    versions: {},
    later: 1,
  }),
  'metrics.json': JSON.stringify({
    test: summarize({
      split: 'test',
      classes: ['a', 'b'],
      samples: [{ id: 'i', path: null, label: 1, probabilities: [0.2, 0.8], loss: 0.2 }],
    }),
  }),
  'history.jsonl': `${JSON.stringify(epoch)}\n${JSON.stringify({ type: 'onlyLater', what: 1 })}\n`,
};
const write = (files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
};

test('a whole run, with a byte-order mark, keys and events of a later version', async () => {
  write({ ...FILES, 'config.json': `\ufeff${FILES['config.json']}` });
  expect(readFileSync(await writeReport(dir), 'utf8')).toContain('tiny');
});

test('a run of version 0.1.0, which called the event of a change in what is trained `trainable`', async () => {
  const change = { epoch: 1, parameters: 1026, tensors: 2, frozenNorms: 3 };
  const old = JSON.stringify({ time: '2026-01-01T00:00:00.000Z', type: 'trainable', ...change });
  write({ ...FILES, 'history.jsonl': `${old}\n` });
  const { events } = await (await RunFolder.open(dir)).history();
  expect(events).toEqual([{ time: '2026-01-01T00:00:00.000Z', type: 'unfrozen', ...change }]);
  write({ ...FILES, 'history.jsonl': `${old.replace('1026', '"many"')}\n` });
  await expect((await RunFolder.open(dir)).history()).rejects.toMatchObject({ code: 'ERR_RUN_FOLDER' });
});

test('each value of each file replaced by what it is not', async () => {
  let refused = 0;
  for (const [name, text] of Object.entries(FILES)) {
    const places = [...text.matchAll(/:("[^"]*"|-?[\d.]+|null|true|false|\[|\{)/g)];
    for (const [number, place] of places.entries()) {
      const wrong = ['"x"', '{}', '[null]', '1e400', ''][number % 5]!;
      write({ ...FILES, [name]: text.slice(0, place.index + 1) + wrong + text.slice(place.index + place[0].length) });
      const error: unknown = await RunFolder.open(dir)
        .then((run) => Promise.all([run.config(), run.metrics(), run.history()]))
        .then(
          () => null,
          (reason: unknown) => reason,
        );
      if (error === null) continue;
      expect(error).toBeInstanceOf(CovidCtError);
      expect((error as CovidCtError).message).toContain(name);
      refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(50);
});
