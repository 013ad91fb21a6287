/** Options of the data room: data sets, decoding, the pixel store, transforms and the batch loader. */
import { z } from 'zod';
import type { ImageInput } from './images/source';
import { bytesSchema, regExpSchema } from '../options/atoms';
import { signalSchema } from '../options/check';
import { imageShape, sixteenBitSchema } from './images/options';

const abortSignal = signalSchema;

function callback<F extends (...args: never[]) => unknown>() {
  return z.custom<F>((value) => typeof value === 'function', 'expected a function').optional();
}

const uint32 = z.int().min(0).max(0xffff_ffff);
/** Seeds are integers in [0, 2^53). */
export const seedSchema = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const side = z.int().min(1).max(8192);
const sidePair = z.tuple([side, side]);
const channels = z.tuple([z.number().finite(), z.number().finite(), z.number().finite()]);
const positiveChannels = z.tuple([
  z.number().positive().finite(),
  z.number().positive().finite(),
  z.number().positive().finite(),
]);
const range = (what: string) =>
  z
    .tuple([z.number().positive().finite(), z.number().positive().finite()])
    .refine(([low, high]) => low <= high, `the ${what} must be [low, high] with low <= high`);

/** One step of a transform, as it is stored. */
export const transformStepSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('resize'), size: z.union([side, sidePair]) }),
  z.strictObject({ type: z.literal('centerCrop'), size: sidePair }),
  z.strictObject({
    type: z.literal('randomResizedCrop'),
    size: sidePair,
    scale: range('scale'),
    ratio: range('ratio'),
  }),
  z.strictObject({ type: z.literal('randomHorizontalFlip'), p: z.number().min(0).max(1) }),
  z.strictObject({ type: z.literal('toTensor') }),
  z.strictObject({ type: z.literal('normalize'), mean: channels, std: positiveChannels }),
]);

/** Of randomResizedCrop. */
export const cropOptionsSchema = z.strictObject({
  scale: range('scale').default([0.08, 1]),
  ratio: range('ratio').default([3 / 4, 4 / 3]),
});

/** Of normalize. */
export const normalizeOptionsSchema = z.strictObject({ mean: channels, std: positiveChannels });

/** A whole transform: pixel steps, then toTensor, then at most one normalize; the last sized step fixes the output. */
export const transformSchema = z
  .strictObject({ steps: z.array(transformStepSchema).min(1) })
  .superRefine(({ steps }, context) => {
    const refuse = (message: string, index?: number): void =>
      context.addIssue({ code: 'custom', path: index === undefined ? ['steps'] : ['steps', index], message });
    const tensorAt = steps.findIndex((step) => step.type === 'toTensor');
    if (tensorAt < 0) return refuse('toTensor() is missing: it marks where pixels become numbers in [0, 1]');
    steps.forEach((step, index) => {
      if (index < tensorAt && step.type === 'normalize') refuse('normalize() must come after toTensor()', index);
      if (index > tensorAt && step.type !== 'normalize')
        refuse(`${step.type} must come before toTensor(); after it only one normalize() may follow`, index);
    });
    if (steps.length - tensorAt > 2) refuse('only one normalize() may follow toTensor()', tensorAt + 2);
    const sized = steps
      .filter((step) => step.type === 'resize' || step.type === 'centerCrop' || step.type === 'randomResizedCrop')
      .at(-1);
    if (sized === undefined || typeof sized.size === 'number') {
      refuse(
        'the output size would depend on the image: let resize([height, width]), centerCrop(n) or randomResizedCrop(n) come last',
      );
    }
  });

/** `imagenet`: the statistics of ImageNet's weights; `none`: mean 0 and std 1, as the tutorial; or own numbers. */
export const normalizationSchema = z
  .union([z.enum(['imagenet', 'none']), z.strictObject({ mean: channels, std: positiveChannels })])
  .default('imagenet');
export type Normalization = z.input<typeof normalizationSchema>;

export const presetOptionsSchema = z.strictObject({
  /** Side of the square the network sees, in pixels. */
  size: z.int().min(8).max(4096).default(224),
  normalization: normalizationSchema,
});
export type PresetOptions = z.input<typeof presetOptionsSchema>;

export const findImagesOptionsSchema = z.strictObject({ signal: abortSignal });
export type FindImagesOptions = z.input<typeof findImagesOptionsSchema>;

export const covidCtOptionsSchema = z.strictObject({
  /** Folder of the split lists, relative to the data set; give another one to use own lists. */
  split: z.string().min(1).default('Data-split'),
  /** Called while the zip files are unpacked. */
  onProgress: callback<(progress: UnpackProgress) => void>(),
  signal: abortSignal,
});
export type CovidCtOptions = z.input<typeof covidCtOptionsSchema>;

/** How far the unpacking of one zip file is. */
export interface UnpackProgress {
  /** Name of the zip file. */
  readonly archive: string;
  readonly entries: number;
  readonly totalEntries: number;
}

const classList = z
  .array(z.string().min(1))
  .min(1)
  .refine((names) => new Set(names).size === names.length, 'class names must differ')
  .readonly();

/** What every reader takes to put the classes in order. */
const classChoice = {
  /** Class names in the order of their indices; without it those found, sorted. Also allows names that are refused otherwise. */
  classes: classList.optional(),
  /** Of two classes the one that counts as positive: it comes last. */
  positive: z.string().min(1).optional(),
};

export const folderOptionsSchema = z.strictObject({
  ...classChoice,
  /** Over the path relative to the folder; its group named `group`, or the first, is the sample's group, e.g. the patient. */
  groupPattern: regExpSchema('expected a regular expression with a group, e.g. /(patient\\d+)/').optional(),
  signal: abortSignal,
});
export type FolderOptions = z.input<typeof folderOptionsSchema>;

const tableShape = {
  /** Column of the image paths; without it the one whose name leaves no doubt (`path`, `file`, `image`, ...). */
  pathColumn: z.string().min(1).optional(),
  /** Column of the class names; without it the one whose name leaves no doubt (`label`, `class`, `diagnosis`, ...). */
  labelColumn: z.string().min(1).optional(),
  /** Holds train, val (or validation, dev, ...) or test; without one every row is a training row. */
  splitColumn: z.string().min(1).optional(),
  /** Holds what belongs together, e.g. the patient. */
  groupColumn: z.string().min(1).optional(),
  /** Folder the paths are relative to; without it the folder of the table. */
  root: z.string().min(1).optional(),
  /** Between the columns; found out without it. */
  delimiter: z.string().length(1).optional(),
};

export const csvOptionsSchema = z.strictObject({ ...tableShape, ...classChoice, signal: abortSignal });
export type CsvOptions = z.input<typeof csvOptionsSchema>;

const share = z.number().gt(0).lt(1);

export const holdOutOptionsSchema = z
  .strictObject({ validation: share.optional(), test: share.optional(), seed: seedSchema.default(0) })
  .refine(
    ({ validation = 0, test = 0 }) => validation + test < 1,
    'validation and test together must leave images for training',
  );
export type HoldOutOptions = z.input<typeof holdOutOptionsSchema>;

/** What is said of a data set when it is opened, in the library and on the command line. */
export const dataShape = {
  ...classChoice,
  ...tableShape,
  /** Share of the training images to hold out for validation, in (0, 1), where there is no such split. */
  validationSplit: share.optional(),
  /** The same for a test split. */
  testSplit: share.optional(),
  /** Seed of what is held out; default 0. */
  splitSeed: seedSchema.optional(),
};

export const openDatasetOptionsSchema = z
  .strictObject({
    ...dataShape,
    groupPattern: folderOptionsSchema.shape.groupPattern,
    /** Of the COVID-CT layout: folder of the split lists; default `Data-split`. */
    split: z.string().min(1).optional(),
    onProgress: callback<(progress: UnpackProgress) => void>(),
    signal: abortSignal,
  })
  .refine(
    ({ validationSplit = 0, testSplit = 0 }) => validationSplit + testSplit < 1,
    'validationSplit and testSplit together must leave images for training',
  );
/** Options of `openDataset`. */
export type OpenDatasetOptions = z.input<typeof openDatasetOptionsSchema>;

/** Options of `PackedDataset.open`. */
export const packedOptionsSchema = z.strictObject({ classes: classList.optional() });
export type PackedOptions = z.input<typeof packedOptionsSchema>;

export const samplesOptionsSchema = z.strictObject({
  name: z.string().min(1).default('samples'),
  classes: classList,
  samples: z.array(
    z.strictObject({
      /** What it is, is looked at where it is made a source. */
      source: z.custom<ImageInput>(
        (value) => value !== undefined && value !== null,
        'expected a path, a file: URL, bytes, a Blob or pixels',
      ),
      label: z.union([z.int().min(0), z.string().min(1)]),
      id: z.string().min(1).optional(),
      /** What belongs together, e.g. the patient: `splitDataset` does not tear it apart. */
      group: z.string().min(1).optional(),
    }),
  ),
});
export type SamplesOptions = z.input<typeof samplesOptionsSchema>;

const fraction = z.number().min(0).max(1);
export const splitOptionsSchema = z.strictObject({
  /** Shares of the samples; they must sum to 1. */
  fractions: z
    .strictObject({ train: fraction, validation: fraction.default(0), test: fraction.default(0) })
    .refine(
      ({ train, validation, test }) => Math.abs(train + validation + test - 1) < 1e-9,
      'the fractions must sum to 1',
    ),
  seed: seedSchema.default(0),
  /** Keep the share of every class the same in each part. */
  stratify: z.boolean().default(true),
});
export type SplitOptions = z.input<typeof splitOptionsSchema>;

export const decodeOptionsSchema = z.strictObject({
  ...imageShape,
  signal: abortSignal,
  /** Where a data set names the file, for the message. */
  origin: z.string().optional(),
});
export type DecodeOptions = z.input<typeof decodeOptionsSchema>;
export type ResolvedDecodeOptions = z.output<typeof decodeOptionsSchema>;

export const storeOptionsSchema = z.strictObject({
  /** Bytes of decoded pixels kept; what does not fit is decoded anew each time. */
  maxCacheBytes: z
    .int()
    .min(0)
    .default(2 * 1024 ** 3),
  onBadFile: z.enum(['error', 'skip']).default('error'),
  /** Images decoded at the same time. */
  concurrency: z.int().min(1).max(64).default(2),
  ...imageShape,
});
export type StoreOptions = z.input<typeof storeOptionsSchema>;

export const prepareOptionsSchema = z.strictObject({
  /** Pixels of the shorter side to which every image is resized, up or down; without it they are kept as decoded. */
  resize: side.optional(),
  /** `error` (default), or `skip`: leave files out that cannot be decoded, and list them in the file. */
  onBadFile: z.enum(['error', 'skip']).default('error'),
  /** Replace a packed data set of that name. */
  overwrite: z.boolean().default(false),
  /** Images decoded at the same time, and held until their turn to be written. */
  concurrency: z.int().min(1).max(64).default(4),
  ...imageShape,
  /** Called after every image. */
  onProgress: callback<(progress: PrepareProgress) => void>(),
  signal: abortSignal,
});
export type PrepareOptions = z.input<typeof prepareOptionsSchema>;
export type ResolvedPrepareOptions = z.output<typeof prepareOptionsSchema>;

/** How far the packing is. */
export interface PrepareProgress {
  readonly images: number;
  readonly totalImages: number;
  /** Written so far. */
  readonly bytes: number;
}

/** A path in bytes, which no NUL can be in. */
const BYTE_PATH = 'expected the bytes of a path, a Buffer or Uint8Array without a zero';
export const bytePathSchema = bytesSchema(BYTE_PATH).refine(
  (value) => value.length > 0 && !value.includes(0),
  BYTE_PATH,
);

const given = (what: string) =>
  z.custom<object>((value) => typeof value === 'object' && value !== null, `expected ${what}`);

/** Of the objects only their presence is checked here; their own makers have checked the rest. */
export const loaderOptionsSchema = z.strictObject({
  dataset: given('a data set').refine(
    (value) => 'samples' in value && 'classes' in value,
    'expected a data set with classes and samples',
  ),
  transform: given('a transform'),
  store: given('a PixelStore'),
  resize: callback<(...args: never[]) => Promise<unknown>>(),
  batchSize: z.int().min(1).max(65_536),
  seed: seedSchema.default(0),
  epoch: uint32.default(0),
  shuffle: z.boolean().default(false),
  prefetch: z.int().min(0).max(64).default(2),
  startBatch: z.int().min(0).default(0),
  sixteenBit: sixteenBitSchema.optional(),
  signal: abortSignal,
  onSkip: callback<(file: never) => void>(),
});

export const montageOptionsSchema = z.strictObject({
  /** Index of the class to draw from. */
  label: z.int().min(0).optional(),
  /** Name of the class to draw from; give this or `label`, or neither to draw from all. */
  class: z.string().optional(),
  count: z.int().min(1).max(1024).default(5),
  columns: z.int().min(1).max(64).default(5),
  /** Side of a tile in pixels. */
  tile: z.int().min(8).max(1024).default(224),
  seed: seedSchema.default(0),
  ...imageShape,
  signal: abortSignal,
});
export type MontageOptions = z.input<typeof montageOptionsSchema>;

const phantomSize = z.int().min(32).max(1024).default(160);

export const phantomPixelsOptionsSchema = z.strictObject({
  /** Whether the slice gets ground-glass patches. */
  positive: z.boolean(),
  seed: seedSchema.default(0),
  /** Which slice of a seed. */
  index: uint32.default(0),
  size: phantomSize,
});
export type PhantomPixelsOptions = z.input<typeof phantomPixelsOptionsSchema>;

export const phantomOptionsSchema = z.strictObject({
  /** Images in all, half of each class (an odd one is left out); 12 at least, so that each split holds both classes. */
  count: z.int().min(12).max(20_000).default(120),
  seed: seedSchema.default(0),
  /** Typical width in pixels; each image differs a little. */
  size: phantomSize,
  signal: abortSignal,
});
export type PhantomOptions = z.input<typeof phantomOptionsSchema>;
