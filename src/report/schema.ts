/** What a report is made of, as an argument and as `pictures.json` keeps it. */
import { types } from 'node:util';
import { z } from 'zod';
import { bytesSchema, callbackSchema, faultless, isObject, plainSchema } from '../options/atoms';
import { datasetSchema, pixelsFault } from '../data/schemas';
import { signalSchema } from '../options/check';
import { imageShape } from '../data/images/options';
import { evaluationPicturesSchema } from './options';
import type { Explanation } from '../model/prediction';
import type { Classifier } from '../model/classifier';
import { epochRecordsSchema } from '../log/event-schema';
import { evaluationSchema } from '../metrics/evaluation-schema';
import type { PictureFacts } from './types';
import type { ReportData } from './types';

const count = z.number().min(0);
const kind = z.enum(['truePositive', 'falsePositive', 'trueNegative', 'falseNegative']);
const group = {
  kind,
  count,
  threshold: z.number(),
  shown: count.optional(),
  letGo: z.looseObject({ threshold: z.number(), above: count }).optional(),
  note: z.string().nullish(),
};
const split = z.looseObject({ name: z.string(), n: count, perClass: z.record(z.string(), count) });
const png = bytesSchema('expected the bytes of a PNG file');
const skipped = z.looseObject({ split: z.string(), id: z.string(), reason: z.string() });

/**
 * The name of a picture beside the list; a path could name any file of the machine, which the report would then show.
 */
const pictureFile = z.string().regex(/^[\w-][\w .-]*$/, 'expected the name of a file in the same folder');

/** `pictures.json`. */
export const pictureFactsSchema = z.looseObject({
  gradCam: z
    .looseObject({
      split: z.string(),
      layer: z.string(),
      groups: z.array(z.looseObject({ ...group, file: pictureFile.nullable() })),
    })
    .nullable(),
  samples: z.array(z.looseObject({ file: pictureFile, title: z.string(), caption: z.string() })),
  split,
}) as unknown as z.ZodType<PictureFacts>;

/** What `renderReport` takes. */
export const reportDataSchema = z.looseObject({
  title: z.string(),
  created: z.string(),
  config: plainSchema,
  model: plainSchema.optional(),
  dataset: z.looseObject({ name: z.string(), splits: z.array(split).readonly() }),
  history: epochRecordsSchema,
  validation: evaluationSchema.nullable(),
  test: evaluationSchema.nullable(),
  montages: z.array(z.looseObject({ title: z.string(), png, caption: z.string() })).readonly(),
  gradCam: z
    .looseObject({
      layer: z.string(),
      split: z.string().optional(),
      groups: z.array(z.looseObject({ ...group, png: png.nullable() })),
    })
    .nullable(),
  versions: z.record(z.string(), z.string()),
  stop: z.looseObject({ reason: z.string(), message: z.string() }).nullable(),
  skipped: z.array(skipped).readonly().optional(),
  leftOut: z
    .array(z.looseObject({ split: z.string(), reason: z.string(), count, examples: z.array(z.string()).readonly() }))
    .readonly()
    .optional(),
  notes: z.array(z.string()).readonly().optional(),
}) as unknown as z.ZodType<ReportData>;

/** What `writePictures` draws. */
export const picturesInputSchema = z.looseObject({
  history: epochRecordsSchema,
  evaluation: evaluationSchema.nullable(),
});

/** Whoever explains images, as addEvaluation asks it to. */
export const explainerSchema = faultless<Pick<Classifier, 'explain' | 'layers'>>((value) => {
  const given = value as { explain?: unknown; layers?: { default?: unknown } | null } | null | undefined;
  const isOne =
    typeof given === 'object' &&
    given !== null &&
    typeof given.explain === 'function' &&
    typeof given.layers?.default === 'string';
  return isOne ? null : { path: [], message: 'expected a Classifier' };
});

/** What `drawExplanation` reads of an explanation; whether lengths fit is for the drawing to say. */
export const explanationSchema = faultless<Pick<Explanation, 'pixels' | 'map' | 'height' | 'width' | 'region'>>(
  (value) => {
    if (!isObject(value)) return { path: [], message: 'expected an explanation, one result of Classifier.explain' };
    const { pixels, map, region } = value;
    const fault = pixelsFault(pixels);
    if (fault !== null) return { path: ['pixels', ...fault.path], message: fault.message };
    if (!types.isFloat32Array(map)) return { path: ['map'], message: 'expected a Float32Array' };
    for (const key of ['width', 'height'])
      if (!Number.isSafeInteger(value[key])) return { path: [key], message: 'expected a whole number' };
    const sides = isObject(region) ? [region['left'], region['top'], region['width'], region['height']] : [];
    return sides.length === 4 && sides.every((side) => typeof side === 'number')
      ? null
      : { path: ['region'], message: 'expected { left, top, width, height }' };
  },
);

/** What addTraining takes. */
export const addTrainingSchema = z.strictObject({ dataset: datasetSchema, signal: signalSchema });

/** Without their defaults: what is not given is the run's own. */
const images = z.strictObject({
  maxPixels: imageShape.maxPixels.removeDefault().optional(),
  maxSide: imageShape.maxSide.removeDefault().optional(),
  maxFileBytes: imageShape.maxFileBytes.removeDefault().optional(),
  decodeTimeoutMs: imageShape.decodeTimeoutMs.removeDefault().optional(),
  sixteenBit: imageShape.sixteenBit,
});

/** What addEvaluation takes. */
export const addEvaluationSchema = z.strictObject({
  ...evaluationPicturesSchema.shape,
  evaluation: evaluationSchema,
  model: explainerSchema,
  dataset: datasetSchema,
  images: images.optional(),
  signal: signalSchema,
  onProgress: callbackSchema<(done: number, total: number) => void>().optional(),
});
