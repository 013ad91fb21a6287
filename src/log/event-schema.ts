/** Schemas of the training's events and epoch records, for arguments and for the files of a run folder. */
import { z } from 'zod';
import { EPOCH_METRICS, validationKey } from '../metrics/registry';
import { isObject, plainSchema } from '../options/atoms';
import type { EpochRecord, TrainEvent } from './types';

/** The loss of a diverged training is NaN, which JSON stores as null. */
const nullableNumber = z.custom<number | null>(
  (value) => typeof value === 'number' || value === null,
  'expected a number or null',
);
const anyNumber = z.custom<number>((value) => typeof value === 'number', 'expected a number');

/** Metrics missing from a run folder of an earlier version are read as null. */
const validationShape = Object.fromEntries(
  EPOCH_METRICS.map(({ key }) => [validationKey(key), nullableNumber.default(null)]),
);

const epochShape = {
  epoch: z.number(),
  learningRate: anyNumber,
  trainLoss: nullableNumber,
  trainAccuracy: nullableNumber,
  validationLoss: nullableNumber,
  ...validationShape,
  runningLoss: nullableNumber,
  runningAccuracy: nullableNumber,
  best: z.boolean(),
  seconds: anyNumber,
};

const record = z.looseObject(epochShape);

/** Schema of the metrics of all epochs. */
export const epochRecordsSchema = z.array(record) as unknown as z.ZodType<
  readonly EpochRecord[],
  readonly EpochRecord[]
>;

/** Schema of an event of a type that this version knows. */
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
    resumed: z.looseObject({ epoch: z.number(), step: z.number() }).optional(),
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
    value: nullableNumber,
  }),
  z.looseObject({ type: z.literal('skipped'), split: z.string(), id: z.string(), reason: z.string() }),
  z.looseObject({
    type: z.literal('stop'),
    reason: z.string(),
    message: z.string(),
    epochs: z.number(),
    bestEpoch: z.number().nullable(),
    bestValue: nullableNumber,
  }),
]) as unknown as z.ZodType<TrainEvent, TrainEvent>;

/** The event types that this version knows. */
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

/** Event types of run folders of version 0.1.0 that have been renamed, with their present names. */
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

/** Schema of a line of a run's history: a known event, or any event of a type that only a later version knows. */
export const storedEventSchema = z.preprocess(withPresentName, knownEventSchema) as unknown as z.ZodType<
  TrainEvent,
  TrainEvent
>;
