/** The run folder: what it accepts, what it reads back, and how it says no. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { summarize } from '../../../src/metrics/evaluation';
import { parseHistory } from '../../../src/train/history';
import { RunFolder } from '../../../src/train/run-folder';
import { inTemporaryFolder } from './made-up';

const CONFIG = {
  options: { seed: 1 },
  model: { architecture: 'tiny', classes: ['a', 'b'], device: 'cpu', dropout: null, startedFrom: null },
  data: { train: { name: 'x', samples: 1, fingerprint: 'f', classes: { a: 1, b: 0 } }, validation: null },
  versions: { node: '20' },
};

function figures(split: string) {
  return summarize({
    split,
    classes: ['a', 'b'],
    samples: [{ id: 'i', path: null, label: 1, probabilities: [0.2, 0.8], loss: 0.22 }],
  });
}

test('is made in a new place, holds the configuration, and opens again', async () => {
  await inTemporaryFolder(async (dir) => {
    const folder = await RunFolder.create(join(dir, 'a', 'b'));
    await folder.writeConfig(CONFIG);
    const again = await RunFolder.open(join(dir, 'a', 'b'));
    expect(await again.config()).toMatchObject({
      format: 'covidct-torch/run',
      formatVersion: 1,
      ...CONFIG,
      created: expect.stringMatching(/^\d{4}-/),
    });
    expect(await again.metrics()).toEqual({});
    expect(await again.history()).toEqual({ epochs: [], events: [], start: null, stop: null });
    expect(await again.card()).toBeNull();
  });
});

test('figures of one split leave those of the others', async () => {
  await inTemporaryFolder(async (dir) => {
    const folder = await RunFolder.create(dir);
    await folder.writeConfig(CONFIG);
    await folder.writeMetrics(figures('validation'));
    await folder.writeMetrics(figures('test'));
    expect(Object.keys(await folder.metrics())).toEqual(['validation', 'test']);
    expect((await folder.metrics()).test).toEqual(JSON.parse(JSON.stringify(figures('test'))));
    expect((await readdir(dir)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

test('refuses what is not a run, damaged files, and a place it cannot write to, with a typed error', async () => {
  await inTemporaryFolder(async (dir) => {
    const refused = { code: 'ERR_RUN_FOLDER' };
    await expect(RunFolder.open(join(dir, 'nowhere'))).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('does not exist'),
    });
    await mkdir(join(dir, 'other'));
    await writeFile(join(dir, 'other', 'config.json'), '{"mine": true}');
    await expect(RunFolder.open(join(dir, 'other'))).rejects.toMatchObject(refused);
    await expect(RunFolder.create(join(dir, 'other'), { overwrite: true })).rejects.toMatchObject(refused);
    await expect(RunFolder.create(join(dir, 'other', 'config.json'))).rejects.toMatchObject(refused);
    const folder = await RunFolder.create(join(dir, 'run'));
    await folder.writeConfig(CONFIG);
    await writeFile(folder.file('metrics.json'), '{');
    await expect(folder.metrics()).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('metrics.json'),
    });
    await mkdir(folder.file('report.html'));
    await expect(folder.write('report.html', 'x')).rejects.toMatchObject(refused);
    expect((await readdir(folder.dir)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

test('a history line that is no event is named', () => {
  expect(parseHistory('{"type":"onlyLater"}\n\n', 'h').events).toEqual([{ type: 'onlyLater' }]);
  expect(() => parseHistory('{"type":"start"}\n', 'h')).toThrow(/h:1: .*"epochs": .*expected number, got nothing/);
  expect(() => parseHistory('{"type":"onlyLater"}\n{"a":1}\n', 'run/history.jsonl')).toThrow(
    expect.objectContaining({ code: 'ERR_RUN_FOLDER', message: expect.stringContaining('run/history.jsonl:2') }),
  );
  expect(() => parseHistory('{', 'h')).toThrow(/h:1/);
});
