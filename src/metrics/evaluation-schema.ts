/** The figures of a split, the records and events of a training: as arguments, and as a run folder keeps them. */
import { z } from 'zod';
import type { EpochRecord, TrainEvent } from '../log/types';
import type { Evaluation } from './types';
import { faultless, isObject, listFault, plainSchema } from '../options/atoms';
import type { Fault } from '../options/atoms';

/** Class names of figures. */
export const classNamesSchema = z.array(z.string()).min(1).readonly();

const figure = z.number().nullable();
const count = z.number().min(0);
const bounds = z.tuple([z.number(), z.number()]).nullable();
/** A share of a count, or a mean over classes, which has no counts. */
const rate = z.looseObject({
  value: figure,
  numerator: count.nullable(),
  denominator: count.nullable(),
  interval: bounds,
});
const skippedFile = z.looseObject({ id: z.string(), reason: z.string() });

/** What a data set's reader left out, as a file has it; a later version may know more reasons. */
export const storedLeftOutSchema = z
  .array(z.looseObject({ reason: z.string(), count, examples: z.array(z.string()) }))
  .optional();

const isProbability = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);

/** A scored sample of `classes` classes; by hand, for there may be a million. */
function scoredFault(value: unknown, classes: number, isCalled: boolean): Fault | null {
  const wrong = (message: string, ...path: PropertyKey[]): Fault => ({ path, message });
  if (!isObject(value)) return wrong('expected a scored sample: { id, path, label, predicted, probabilities, loss }');
  if (typeof value['id'] !== 'string') return wrong('expected a text', 'id');
  if (value['path'] !== null && typeof value['path'] !== 'string') return wrong('expected a path or null', 'path');
  for (const key of isCalled ? ['label', 'predicted'] : []) {
    const index = value[key];
    if (!Number.isInteger(index) || (index as number) < 0 || (index as number) >= classes)
      return wrong(`expected a whole number from 0 to ${classes - 1}`, key);
  }
  const { probabilities } = value;
  if (!Array.isArray(probabilities)) return wrong('expected a list of probabilities', 'probabilities');
  if (!isCalled) return null;
  if (probabilities.length !== classes || !probabilities.every(isProbability))
    return wrong(`expected ${classes} numbers`, 'probabilities');
  return typeof value['loss'] === 'number' ? null : wrong('expected a number', 'loss');
}

/** What contradicts itself in figures whose parts are right each by itself. */
function consistencyFault({
  classes,
  confusionMatrix,
  samples,
}: {
  classes: readonly string[];
  confusionMatrix: readonly (readonly number[])[];
  samples: unknown;
}): Fault | null {
  if (confusionMatrix.length !== classes.length || confusionMatrix.some((row) => row.length !== classes.length)) {
    return { path: ['confusionMatrix'], message: `expected ${classes.length} rows of ${classes.length} counts` };
  }
  const fault = listFault(samples, 'scored samples', (sample) => scoredFault(sample, classes.length, true));
  return fault === null ? null : { path: ['samples', ...fault.path], message: fault.message };
}

/** Figures of one split. Keys that are not known are let through: a later version may have written them. */
export const evaluationSchema = z
  .looseObject({
    split: z.string(),
    classes: z.array(z.string()).min(2).readonly(),
    n: count,
    loss: figure,
    threshold: figure,
    accuracy: figure,
    sensitivity: figure,
    specificity: figure,
    precision: figure,
    f1: figure,
    auc: figure,
    balancedAccuracy: figure.optional(),
    averagePrecision: figure.optional(),
    confusionMatrix: z.array(z.array(count)),
    perClass: z
      .array(z.looseObject({ class: z.string(), sensitivity: rate, specificity: rate, precision: rate }))
      .optional(),
    intervals: z.looseObject({ accuracy: rate, sensitivity: rate, specificity: rate, precision: rate, auc: bounds }),
    samples: faultless((value) =>
      Array.isArray(value) ? null : { path: [], message: 'expected a list of scored samples' },
    ),
    skipped: z.array(skippedFile),
    leftOut: storedLeftOutSchema,
  })
  .superRefine((evaluation, context) => {
    const fault = consistencyFault(evaluation);
    if (fault !== null) context.addIssue({ code: 'custom', path: [...fault.path], message: fault.message });
  }) as unknown as z.ZodType<Evaluation, Evaluation>;

/** The part of figures that the choice of samples looks at. */
export const scoredSchema = faultless<Pick<Evaluation, 'samples' | 'classes'>>((value) => {
  if (!isObject(value) || !Array.isArray(value['classes']))
    return { path: [], message: 'expected an evaluation, e.g. of evaluate()' };
  const classes = value['classes'].length;
  const fault = listFault(value['samples'], 'scored samples', (sample) => scoredFault(sample, classes, true));
  return fault === null ? null : { path: ['samples', ...fault.path], message: fault.message };
});

/** What is read of the scores by `summarize`, which says itself what is wrong with numbers. */
export const summarizeInputSchema = z.looseObject({
  split: z.string(),
  classes: z.array(z.string()).readonly(),
  samples: faultless((value) => listFault(value, 'scored samples', (sample) => scoredFault(sample, 0, false))),
  threshold: z.number().optional(),
  skipped: z.array(skippedFile).readonly().optional(),
});

/** Of a training that has diverged: NaN, which a file has as null. */
const anyFigure = z.custom<number | null>(
  (value) => typeof value === 'number' || value === null,
  'expected a number or null',
);
const anyNumber = z.custom<number>((value) => typeof value === 'number', 'expected a number');

const epochShape = {
  epoch: z.number(),
  learningRate: anyNumber,
  trainLoss: anyFigure,
  trainAccuracy: anyFigure,
  validationLoss: anyFigure,
  validationAccuracy: anyFigure,
  validationAuc: anyFigure,
  validationSensitivity: anyFigure,
  validationSpecificity: anyFigure,
  runningLoss: anyFigure,
  runningAccuracy: anyFigure,
  best: z.boolean(),
  seconds: anyNumber,
};

const record = z.looseObject(epochShape);

/** The figures of the epochs of a training. */
export const epochRecordsSchema = z.array(record) as unknown as z.ZodType<
  readonly EpochRecord[],
  readonly EpochRecord[]
>;

/** An event of a training; of a type that this version knows. */
export const trainEventSchema = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal('start'),
    epochs: z.number(),
    stepsPerEpoch: z.number(),
    trainSamples: z.number(),
    validationSamples: z.number(),
    architecture: z.string(),
    device: z.string(),
    out: z.string().nullable(),
    config: plainSchema,
    needs: z
      .looseObject({ memoryBytes: z.number().nullable(), freeMemoryBytes: z.number(), diskBytes: z.number() })
      .optional(),
  }),
  z.looseObject({
    type: z.literal('step'),
    epoch: z.number(),
    step: z.number(),
    steps: z.number(),
    loss: anyNumber,
    accuracy: anyNumber,
    samples: z.number(),
    updated: z.boolean(),
  }),
  z.looseObject({ type: z.literal('epoch'), ...epochShape }),
  z.looseObject({
    type: z.literal('learningRate'),
    epoch: z.number(),
    from: anyNumber,
    to: anyNumber,
    reason: z.string(),
  }),
  z.looseObject({
    type: z.literal('unfrozen'),
    epoch: z.number(),
    parameters: z.number(),
    tensors: z.number(),
    frozenNorms: z.number(),
  }),
  z.looseObject({
    type: z.literal('features'),
    samples: z.number(),
    augmentations: z.number(),
    width: z.number(),
    bytes: z.number(),
    withoutAugmentation: z.boolean(),
  }),
  z.looseObject({
    type: z.literal('checkpoint'),
    epoch: z.number(),
    kind: z.enum(['best', 'last']),
    path: z.string(),
    metric: z.string(),
    value: anyFigure,
  }),
  z.looseObject({ type: z.literal('skipped'), split: z.string(), id: z.string(), reason: z.string() }),
  z.looseObject({
    type: z.literal('stop'),
    reason: z.string(),
    message: z.string(),
    epochs: z.number(),
    bestEpoch: figure,
    bestValue: anyFigure,
  }),
]) as unknown as z.ZodType<TrainEvent, TrainEvent>;

/** Types of event that this version knows. */
export const EVENT_TYPES = [
  'start',
  'step',
  'epoch',
  'learningRate',
  'unfrozen',
  'features',
  'checkpoint',
  'skipped',
  'stop',
] as const;
const KNOWN = new Set<string>(EVENT_TYPES);

/** Names of events in run folders of version 0.1.0, and what they are called since. */
const RENAMED_EVENTS: Readonly<Record<string, TrainEvent['type']>> = { trainable: 'unfrozen' };

function withPresentName(line: unknown): unknown {
  if (!isObject(line) || typeof line['type'] !== 'string' || !Object.hasOwn(RENAMED_EVENTS, line['type'])) return line;
  return { ...line, type: RENAMED_EVENTS[line['type']] };
}

const knownEventSchema = z.looseObject({ type: z.string() }).superRefine((event, context) => {
  if (!KNOWN.has(event.type)) return;
  const result = trainEventSchema.safeParse(event);
  for (const issue of result.error?.issues ?? [])
    context.addIssue({ code: 'custom', path: issue.path, message: issue.message.replace(/, received [^,]*$/, '') });
});

/** A line of a run's history: an event, or one of a type that only a later version knows. */
export const storedEventSchema = z.preprocess(withPresentName, knownEventSchema) as unknown as z.ZodType<
  TrainEvent,
  TrainEvent
>;
