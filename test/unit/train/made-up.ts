/** Made-up images for the tests of this room: noise, with a bright upper left quarter for the last class. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePng } from '../../../src/data/images/decode';
import { makeDraw } from '../../../src/data/random';
import type { Dataset, Sample } from '../../../src/data/types';
import type { TrainEvent, TrainLogger } from '../../../src/log/types';
import { Trainer } from '../../../src/train/trainer';
import type { TrainerOptions } from '../../../src/train/trainer';
import { FakeNetwork } from '../../helpers/fake-network';
import { makePixels } from '../../helpers/images';

export const CLASSES = ['dark', 'bright'];

/** `count` images of 16 × 16, labels in turn. `flip` mislabels the first few. */
export async function makeDataset(
  name: string,
  count: number,
  options: { flip?: number; seed?: number; classes?: string[] } = {},
): Promise<Dataset> {
  const draw = makeDraw({ seed: options.seed ?? 1 });
  const classes = options.classes ?? CLASSES;
  const samples: Sample[] = [];
  for (let index = 0; index < count; index += 1) {
    const label = index % classes.length;
    const gray = Array.from({ length: 16 * 16 }, (_, pixel) => {
      const bright = label === classes.length - 1 && pixel < 128 && pixel % 16 < 8;
      return Math.floor(draw() * 128) + (bright ? 90 : 0);
    });
    const source = await encodePng(makePixels(16, 16, (byte) => gray[Math.floor(byte / 3)]!));
    samples.push({
      id: `${name}-${index}.png`,
      source,
      label: index < (options.flip ?? 0) ? classes.length - 1 - label : label,
    });
  }
  return { name, classes, samples };
}

/** A logger that keeps what it is told. */
export class Memory implements TrainLogger {
  readonly events: TrainEvent[] = [];
  closed = 0;
  log(event: TrainEvent): void {
    this.events.push(event);
  }
  close(): void {
    this.closed += 1;
  }
}

/** Runs `work` with a fresh temporary folder and removes it. */
export async function inTemporaryFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'covidct-test-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Learns the made-up images in a few epochs. */
export const RECIPE = { learningRate: 2, batchSize: 4, accumulate: 2, epochs: 6, imageSize: 32, seed: 7 } as const;

/** A fresh fake network with a Trainer of a quick recipe, a logger that remembers, and two splits. */
export async function setUp(options: Partial<TrainerOptions> = {}) {
  const model = new FakeNetwork(CLASSES);
  const memory = new Memory();
  const trainer = new Trainer({ model: model.classifier, ...RECIPE, loggers: [memory], ...options });
  return {
    model,
    memory,
    trainer,
    train: await makeDataset('train', 18),
    validation: await makeDataset('validation', 10, { seed: 2 }),
  };
}

/** Reads a training to its end. Returns all its events. */
export async function collect(run: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}
