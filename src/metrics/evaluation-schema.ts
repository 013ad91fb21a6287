/** The metrics of a split: as arguments, and as a run folder keeps them. */
import { z } from 'zod';
import { METRICS } from './registry';
import type { Evaluation } from './types';
import { faultless, isObject, listFault } from '../options/atoms';
import type { Fault } from '../options/atoms';

/** Class names of an evaluation. */
export const classNamesSchema = z.array(z.string()).min(1).readonly();

const metricValue = z.number().nullable();
const count = z.number().min(0);
const bounds = z.tuple([z.number(), z.number()]).nullable();
/** A share of a count, or a mean over classes, which has no counts. */
const rate = z.looseObject({
  value: metricValue,
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

/** What contradicts itself in an evaluation whose parts are right each by itself. */
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

const metricShape = Object.fromEntries(
  METRICS.map((metric) => [metric.key, 'optional' in metric ? metricValue.optional() : metricValue]),
);
const intervalShape = Object.fromEntries(
  METRICS.flatMap((metric): [string, z.ZodType][] => {
    if ('rate' in metric) return [[metric.key, rate]];
    return 'interval' in metric ? [[metric.key, bounds]] : [];
  }),
);

/** The metrics of one split. Keys that are not known are let through: a later version may have written them. */
export const evaluationSchema = z
  .looseObject({
    split: z.string(),
    classes: z.array(z.string()).min(2).readonly(),
    n: count,
    loss: metricValue,
    threshold: metricValue,
    ...metricShape,
    confusionMatrix: z.array(z.array(count)),
    perClass: z
      .array(z.looseObject({ class: z.string(), sensitivity: rate, specificity: rate, precision: rate }))
      .optional(),
    intervals: z.looseObject(intervalShape),
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

/** The part of an evaluation that the choice of samples looks at. */
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
