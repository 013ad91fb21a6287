/**
 * What the tests of the network's input share: colored made-up images,
 * raw handles that are freed after each test, transforms.
 */
import { aspectEval, tutorialEval, tutorialTrain } from '../../src/data/transforms/presets';
import { centerCrop } from '../../src/data/transforms/steps/center-crop';
import { compose } from '../../src/data/transforms/transform';
import { normalize } from '../../src/data/transforms/steps/normalize';
import { randomHorizontalFlip } from '../../src/data/transforms/steps/random-horizontal-flip';
import { resize } from '../../src/data/transforms/steps/resize';
import { toTensor } from '../../src/data/transforms/steps/to-tensor';
import type { Transform } from '../../src/data/types';
import { loadNative } from '../../src/addon/load';
import type { NativeClassifier } from '../../src/addon/types';

/** Side of the network's input. */
export const SIZE = 40;

/** Disposed of after each test. */
export const open: { dispose(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.dispose();
});

/** The addon's own object, ready. */
export async function raw({
  channels = 3,
  threads = 2,
}: { channels?: 1 | 3; threads?: number } = {}): Promise<NativeClassifier> {
  const handle = new (loadNative().Classifier)({
    architecture: 'tiny',
    classes: 2,
    device: 'cpu',
    threads,
    seed: 0,
    dropout: 0,
    channels,
  });
  open.push(handle);
  await handle.ready();
  return handle;
}

export const TRANSFORMS: Readonly<Record<string, Transform>> = {
  train: tutorialTrain({ size: SIZE }),
  evaluation: tutorialEval({ size: SIZE }),
  aspect: aspectEval({ size: SIZE }),
  // The box reaches outside of every image.
  padded: compose([
    centerCrop(200),
    randomHorizontalFlip(1),
    resize([SIZE, SIZE]),
    toTensor(),
    normalize({ mean: [0.1, 0.2, 0.3], std: [0.5, 0.6, 0.7] }),
  ]),
  // A box inside, then a flip in the middle and one at the end.
  flips: compose([centerCrop(30), randomHorizontalFlip(1), resize([SIZE, SIZE]), randomHorizontalFlip(1), toTensor()]),
};
