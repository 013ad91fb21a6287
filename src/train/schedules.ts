/** The learning rate as a function of the optimizer step, for the schedules that do not look at the metrics. */
import type { ScheduleOptions } from './fine-tuning-options';

/** Where the rate is asked for. */
export interface Span {
  /** The rate that was asked for; the peak of a cycle. */
  readonly learningRate: number;
  /** Optimizer steps in an epoch, >= 1. */
  readonly stepsPerEpoch: number;
  readonly epochs: number;
}

type Planned<T extends ScheduleOptions['type']> = Extract<ScheduleOptions, { type: T }>;

/**
 * The rate of optimizer step `step`, counted from 0; steps beyond the last are taken as the last.
 *
 * Equal to torch.optim.lr_scheduler: StepLR (an epoch a step), LinearLR and CosineAnnealingLR in a SequentialLR, and
 * OneCycleLR (an optimizer step a step).
 */
export function plannedRate(schedule: Exclude<ScheduleOptions, { type: 'plateau' }>, step: number, span: Span): number {
  const at = Math.min(step, span.epochs * span.stepsPerEpoch - 1);
  switch (schedule.type) {
    case 'constant':
      return span.learningRate;
    case 'step':
      return span.learningRate * schedule.factor ** Math.floor(Math.floor(at / span.stepsPerEpoch) / schedule.every);
    case 'cosine':
      return cosine(schedule, at, span);
    case 'oneCycle':
      return oneCycle(schedule, at, span);
  }
}

function cosine(
  { warmupEpochs, warmupStart, minLearningRate }: Planned<'cosine'>,
  step: number,
  { learningRate, stepsPerEpoch, epochs }: Span,
): number {
  const warmup = Math.min(Math.round(warmupEpochs * stepsPerEpoch), epochs * stepsPerEpoch - 1);
  if (step < warmup) return learningRate * (warmupStart + (1 - warmupStart) * (step / warmup));
  const share = (step - warmup) / (epochs * stepsPerEpoch - warmup);
  return minLearningRate + ((learningRate - minLearningRate) * (1 + Math.cos(Math.PI * share))) / 2;
}

function oneCycle(
  { warmupShare, divFactor, finalDivFactor, anneal }: Planned<'oneCycle'>,
  step: number,
  { learningRate, stepsPerEpoch, epochs }: Span,
): number {
  const total = epochs * stepsPerEpoch;
  const top = warmupShare * total - 1;
  const first = learningRate / divFactor;
  const between = (from: number, to: number, share: number): number =>
    anneal === 'cos' ? to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share)) : from + (to - from) * share;
  if (step <= top) return between(first, learningRate, top === 0 ? 1 : step / top);
  return between(learningRate, first / finalDivFactor, (step - top) / (total - 1 - top));
}
