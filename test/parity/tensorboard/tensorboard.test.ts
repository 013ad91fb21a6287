/** The event file as the real TensorBoard reads it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TensorBoardLogger } from '../../../src/log/tensorboard';
import { epochEvent, startEvent, stopEvent } from '../../helpers/events';
import { findPython, testWithPython } from '../../helpers/python';

interface Read {
  fileVersion: number;
  scalars: Record<string, [step: number, value: number, wallTime: number][]>;
  images: Record<string, [step: number, width: number, height: number, base64: string][]>;
  texts: Record<string, [step: number, text: string, plugin: string][]>;
  records: number;
}

// One black pixel.
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==',
  'base64',
);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'covidct-tensorboard-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

testWithPython(
  findPython(['tensorboard']),
  'scalars, pictures and texts come back as they were written',
  async (python) => {
    const logger = new TensorBoardLogger({ dir: path.join(folder, 'events') });
    const before = Date.now() / 1000;
    await logger.log(startEvent({ epochs: 300 }));
    for (let epoch = 1; epoch <= 300; epoch++) {
      await logger.log(
        epochEvent({ epoch, trainLoss: 1 / epoch, validationLoss: epoch === 2 ? null : 2 / epoch, learningRate: 0.01 }),
      );
    }
    await logger.scalars('Extra', { a: Number.NaN, b: Number.POSITIVE_INFINITY, c: -0.5 }, 2 ** 40);
    await logger.image('Grad-CAM/Ünïcode', PNG, { width: 1, height: 1 }, 7);
    await logger.text('notes', 'Größe, 数', 3);
    await logger.log(stopEvent({ epochs: 300 }));
    await logger.close();

    const files = readdirSync(path.join(folder, 'events'));
    expect(files).toEqual([path.basename(logger.path)]);
    const script = spawnSync(
      python,
      [path.join(__dirname, 'read_events.py'), path.join(folder, 'events'), logger.path],
      { encoding: 'utf8', maxBuffer: 2 ** 26 },
    );
    expect({ status: script.status, stderr: script.status === 0 ? '' : script.stderr }).toEqual({
      status: 0,
      stderr: '',
    });
    const read = JSON.parse(script.stdout.replace(/\bNaN\b/g, '"NaN"').replace(/\bInfinity\b/g, '"Infinity"')) as Read;

    expect(read.fileVersion).toBe(2);
    expect(Object.keys(read.scalars).sort()).toEqual([
      'AUC/validation',
      'Accuracies/train',
      'Accuracies/validation',
      'Extra/a',
      'Extra/b',
      'Extra/c',
      'Losses/train',
      'Losses/validation',
      'Sensitivity/validation',
      'Specificity/validation',
      'learning_rate',
    ]);
    expect(read.scalars['Losses/train']).toEqual(
      Array.from({ length: 300 }, (_, index): unknown => [index + 1, Math.fround(1 / (index + 1)), expect.any(Number)]),
    );
    expect(read.scalars['Losses/validation']!.map(([step]) => step)).toEqual(
      Array.from({ length: 300 }, (_, index) => index + 1).filter((step) => step !== 2),
    );
    expect(read.scalars['learning_rate']![299]!.slice(0, 2)).toEqual([300, Math.fround(0.01)]);
    const wallTime = read.scalars['learning_rate']![0]![2];
    expect(wallTime).toBeGreaterThanOrEqual(before);
    expect(wallTime).toBeLessThanOrEqual(Date.now() / 1000);
    expect(['a', 'b', 'c'].map((name) => read.scalars[`Extra/${name}`]![0]!.slice(0, 2))).toEqual([
      [2 ** 40, 'NaN'],
      [2 ** 40, 'Infinity'],
      [2 ** 40, -0.5],
    ]);
    expect(read.images).toEqual({ 'Grad-CAM/Ünïcode': [[7, 1, 1, PNG.toString('base64')]] });
    expect(read.texts['notes']).toEqual([[3, 'Größe, 数', 'text']]);
    expect(read.texts['config']![0]![1]).toContain('"architecture": "tiny"');
    expect(read.texts['stop']![0]!.slice(0, 2)).toEqual([300, expect.stringContaining('epochs: ')]);
    expect(read.records).toBe(1 + 1 + 300 + 1 + 1 + 1 + 1);
  },
);
