/** Made-up events of a training. */
import type { TrainEvent } from '../../src/log/types';

type Of<T extends TrainEvent['type']> = Extract<TrainEvent, { type: T }>;

export const startEvent = (more: Partial<Of<'start'>> = {}): Of<'start'> => ({
  type: 'start',
  epochs: 3,
  stepsPerEpoch: 4,
  trainSamples: 30,
  validationSamples: 10,
  architecture: 'tiny',
  device: 'cpu',
  out: null,
  config: { learningRate: 0.01 },
  ...more,
});

export const stepEvent = (more: Partial<Of<'step'>> = {}): Of<'step'> => ({
  type: 'step',
  epoch: 1,
  step: 1,
  steps: 4,
  loss: 0.7,
  accuracy: 0.5,
  samples: 8,
  updated: false,
  ...more,
});

export const epochEvent = (more: Partial<Of<'epoch'>> = {}): Of<'epoch'> => ({
  type: 'epoch',
  epoch: 1,
  learningRate: 0.01,
  trainLoss: 0.65,
  trainAccuracy: 0.6,
  validationLoss: 0.6,
  validationAccuracy: 0.7,
  validationAuc: 0.75,
  validationSensitivity: 0.8,
  validationSpecificity: 0.6,
  runningLoss: 0.6,
  runningAccuracy: 0.7,
  best: true,
  seconds: 12.5,
  ...more,
});

export const stopEvent = (more: Partial<Of<'stop'>> = {}): Of<'stop'> => ({
  type: 'stop',
  reason: 'epochs',
  message: 'all epochs are done.',
  epochs: 3,
  bestEpoch: 2,
  bestValue: 0.7,
  ...more,
});

export const skippedEvent = (more: Partial<Of<'skipped'>> = {}): Of<'skipped'> => ({
  type: 'skipped',
  split: 'train',
  id: 'broken.png',
  reason: 'not an image',
  ...more,
});
