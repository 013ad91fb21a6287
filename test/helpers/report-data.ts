/** A made-up report: figures, curves and pictures of nothing that exists. */
import type { EpochRecord } from '../../src/log/types';
import { summarize } from '../../src/metrics/evaluation';
import type { Evaluation } from '../../src/metrics/types';
import type { ReportData } from '../../src/report/types';

/** A small multiplicative generator; the same numbers every time. */
export function numbers(seed = 1): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

export function madeUpHistory(epochs: number): EpochRecord[] {
  const draw = numbers(7);
  return Array.from({ length: epochs }, (_, index) => {
    const far = 1 - Math.exp(-(index + 1) / 9);
    return {
      epoch: index + 1,
      learningRate: index < 20 ? 0.01 : 0.001,
      trainLoss: 0.69 - 0.45 * far + 0.03 * draw(),
      trainAccuracy: 0.53 + 0.38 * far + 0.02 * draw(),
      validationLoss: 0.7 - 0.28 * far + 0.08 * draw(),
      validationAccuracy: 0.52 + 0.26 * far + 0.06 * draw(),
      validationAuc: 0.55 + 0.3 * far,
      validationSensitivity: 0.7,
      validationSpecificity: 0.75,
      runningLoss: 0.5,
      runningAccuracy: 0.7,
      best: index < 17,
      seconds: 40 + 3 * draw(),
    };
  });
}

export function madeUpEvaluation(
  n: number,
  more: { split?: string; classes?: string[]; confident?: boolean; names?: (index: number) => string } = {},
): Evaluation {
  const draw = numbers(11);
  const classes = more.classes ?? ['NonCOVID', 'COVID'];
  const samples = Array.from({ length: n }, (_, index) => {
    const label = index % classes.length;
    const logits = classes.map((__, k) => (k === label ? (more.confident ? 9 : 1.3) : 0) + 2.2 * (draw() + draw() - 1));
    const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
    const probabilities = logits.map((logit) => Math.exp(logit) / sum);
    const id = more.names?.(index) ?? `Images-processed/CT_${classes[label]}/slice-${index}.png`;
    return { id, path: `/data/${id}`, label, probabilities, loss: -Math.log(probabilities[label]!) };
  });
  return summarize({ split: more.split ?? 'test', classes, samples });
}

export function madeUpReport(more: Partial<ReportData> = {}): ReportData {
  return {
    title: 'COVID-19 CT slice classifier',
    created: '2020-04-01T12:00:00.000Z',
    config: {
      learningRate: 0.01,
      momentum: 0.9,
      batchSize: 8,
      accumulate: 8,
      transform: { size: [224, 224], normalization: 'imagenet' },
    },
    model: { architecture: 'vgg19_bn', device: 'cpu', parameters: 139589442, origin: 'random (seed 0)' },
    dataset: {
      name: 'made up',
      splits: [
        { name: 'train', n: 425, perClass: { NonCOVID: 234, COVID: 191 } },
        { name: 'validation', n: 118, perClass: { NonCOVID: 58, COVID: 60 } },
        { name: 'test', n: 203, perClass: { NonCOVID: 105, COVID: 98 } },
      ],
    },
    history: madeUpHistory(34),
    validation: madeUpEvaluation(118, { split: 'validation' }),
    test: madeUpEvaluation(203),
    montages: [],
    gradCam: null,
    versions: { 'covidct-torch': '0.1.0', libtorch: '2.13.0', node: '20.20.2' },
    stop: { reason: 'early-stopping', message: 'neither loss nor accuracy has improved for more than 5 epochs.' },
    ...more,
  };
}
