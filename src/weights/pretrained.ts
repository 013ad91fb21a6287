/**
 * The pretrained weights known by name: torchvision's ImageNet checkpoints, with the preprocessing of their training.
 * Sizes and accuracies: torchvision 0.28, `torchvision.models.get_model_weights(name)`.
 */
import { inputSize, normalizationOf } from '../data/transforms/transform';
import type { Transform } from '../data/types';
import { CovidCtError } from '../errors';
import { metadataSchema, nameSchema, pathSchema } from '../options/atoms';
import { checkArgument } from '../options/check';

/** The preprocessing with which weights were trained. */
export interface Pretraining {
  /** Name of the weights, e.g. `vgg19_bn-imagenet`; the file name when it is unknown. */
  readonly name: string;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  /** Side of the square input in pixels; null when it is unknown. */
  readonly imageSize: number | null;
  /** True when normalization and size are an assumption; false when they are known. */
  readonly assumed: boolean;
}

/** A checkpoint that can be downloaded by name. */
export interface PretrainedWeights {
  readonly name: string;
  readonly architecture: string;
  readonly description: string;
  readonly file: string;
  readonly url: string;
  /** Size in MiB as documented by torchvision. */
  readonly sizeMiB: number;
  /** First 8 digits of the file's SHA-256, which torchvision puts into the file name; no more are published. */
  readonly sha256Prefix: string;
  /** Top-1 accuracy on ImageNet's validation images, in percent. */
  readonly imagenetAccuracy: number;
  /** Shorter side of the resized image before the center crop, in pixels. */
  readonly resize: number;
  readonly pretraining: Pretraining;
  /** License and terms of use. */
  readonly terms: string;
}

const MEAN = [0.485, 0.456, 0.406] as const;
const STD = [0.229, 0.224, 0.225] as const;
const TERMS = 'torchvision is BSD-3-Clause; the weights come from ImageNet, whose terms are for research';

function row(
  name: string,
  architecture: string,
  file: string,
  sizeMiB: number,
  imagenetAccuracy: number,
  resize: number,
  imageSize = 224,
): PretrainedWeights {
  return {
    name,
    architecture,
    description:
      `${architecture} trained on ImageNet's 1000 classes ` +
      `(torchvision's ${name.endsWith('-v2') ? 'IMAGENET1K_V2' : 'IMAGENET1K_V1'})`,
    file,
    url: `https://download.pytorch.org/models/${file}`,
    sizeMiB,
    sha256Prefix: file.slice(file.lastIndexOf('-') + 1, -'.pth'.length),
    imagenetAccuracy,
    resize,
    pretraining: { name, mean: MEAN, std: STD, imageSize, assumed: false },
    terms: TERMS,
  };
}

const TABLE: readonly PretrainedWeights[] = [
  row('vgg11-imagenet', 'vgg11', 'vgg11-8a719046.pth', 506.84, 69.02, 256),
  row('vgg11_bn-imagenet', 'vgg11_bn', 'vgg11_bn-6002323d.pth', 506.881, 70.37, 256),
  row('vgg13-imagenet', 'vgg13', 'vgg13-19584684.pth', 507.545, 69.928, 256),
  row('vgg13_bn-imagenet', 'vgg13_bn', 'vgg13_bn-abd245e5.pth', 507.59, 71.586, 256),
  row('vgg16-imagenet', 'vgg16', 'vgg16-397923af.pth', 527.796, 71.592, 256),
  row('vgg16_bn-imagenet', 'vgg16_bn', 'vgg16_bn-6c64b313.pth', 527.866, 73.36, 256),
  row('vgg19-imagenet', 'vgg19', 'vgg19-dcbb9e9d.pth', 548.051, 72.376, 256),
  row('vgg19_bn-imagenet', 'vgg19_bn', 'vgg19_bn-c79401a0.pth', 548.143, 74.218, 256),
  row('resnet18-imagenet', 'resnet18', 'resnet18-f37072fd.pth', 44.661, 69.758, 256),
  row('resnet34-imagenet', 'resnet34', 'resnet34-b627a593.pth', 83.275, 73.314, 256),
  row('resnet50-imagenet', 'resnet50', 'resnet50-0676ba61.pth', 97.781, 76.13, 256),
  row('resnet50-imagenet-v2', 'resnet50', 'resnet50-11ad3fa6.pth', 97.79, 80.858, 232),
  row('resnet101-imagenet', 'resnet101', 'resnet101-63fe2227.pth', 170.511, 77.374, 256),
  row('resnet101-imagenet-v2', 'resnet101', 'resnet101-cd907fc2.pth', 170.53, 81.886, 232),
  row('resnet152-imagenet', 'resnet152', 'resnet152-394f9c45.pth', 230.434, 78.312, 256),
  row('resnet152-imagenet-v2', 'resnet152', 'resnet152-f82ba261.pth', 230.474, 82.284, 232),
  row('densenet121-imagenet', 'densenet121', 'densenet121-a639ec97.pth', 30.845, 74.434, 256),
  row('densenet161-imagenet', 'densenet161', 'densenet161-8d451a50.pth', 110.369, 77.138, 256),
  row('densenet169-imagenet', 'densenet169', 'densenet169-b2777c0a.pth', 54.708, 75.6, 256),
  row('densenet201-imagenet', 'densenet201', 'densenet201-c1103571.pth', 77.373, 76.896, 256),
  row('squeezenet1_0-imagenet', 'squeezenet1_0', 'squeezenet1_0-b66bff10.pth', 4.778, 58.092, 256),
  row('squeezenet1_1-imagenet', 'squeezenet1_1', 'squeezenet1_1-b8a52dc0.pth', 4.729, 58.178, 256),
  // All EfficientNet weights except the second set of B1 were trained on images resized with bicubic interpolation.
  row('efficientnet_b0-imagenet', 'efficientnet_b0', 'efficientnet_b0_rwightman-7f5810bc.pth', 20.451, 77.692, 256),
  row(
    'efficientnet_b1-imagenet',
    'efficientnet_b1',
    'efficientnet_b1_rwightman-bac287d4.pth',
    30.134,
    78.642,
    256,
    240,
  ),
  row('efficientnet_b1-imagenet-v2', 'efficientnet_b1', 'efficientnet_b1-c27df63c.pth', 30.136, 79.838, 255, 240),
  row(
    'efficientnet_b2-imagenet',
    'efficientnet_b2',
    'efficientnet_b2_rwightman-c35c1473.pth',
    35.174,
    80.608,
    288,
    288,
  ),
];

/**
 * Returns every checkpoint that is known by name.
 *
 * @example
 * ```ts
 * import { pretrainedWeights } from 'covidct-torch/weights';
 *
 * for (const { name, sizeMiB } of pretrainedWeights()) console.log(name, sizeMiB);
 * ```
 */
export function pretrainedWeights(): readonly PretrainedWeights[] {
  return TABLE;
}

/**
 * Finds a checkpoint by name; `imagenet` is the first one of the architecture.
 *
 * @returns undefined when no checkpoint has that name
 */
export function findPretrainedWeights(name: string, architecture?: string): PretrainedWeights | undefined {
  checkArgument(nameSchema, name, 'findPretrainedWeights', 'name');
  checkArgument(nameSchema.optional(), architecture, 'findPretrainedWeights', 'architecture');
  if (name === 'imagenet') return TABLE.find((each) => each.architecture === architecture);
  return TABLE.find((each) => each.name === name);
}

/** Like {@link findPretrainedWeights}, but throws CovidCtError ERR_WEIGHTS, listing all names, for an unknown one. */
export function requirePretrainedWeights(name: string, architecture?: string): PretrainedWeights {
  const found = findPretrainedWeights(name, architecture);
  if (found !== undefined) return found;
  const subject =
    name === 'imagenet'
      ? `there are no ImageNet weights for ${architecture ?? 'no architecture'}`
      : `there are no weights named '${name}'`;
  throw new CovidCtError('ERR_WEIGHTS', `${subject}; known are ${TABLE.map((each) => each.name).join(', ')}`);
}

/** The metadata key of the pretraining in a safetensors file. */
export const PRETRAINING_KEY = 'covidct.pretraining';

/**
 * Returns the pretraining of a network, to be written under {@link PRETRAINING_KEY}.
 *
 * @param name origin of its weights, in words
 * @param transform the transform of its images
 */
export function trainedFor(name: string, transform: Transform): Pretraining {
  const { mean, std } = normalizationOf(transform);
  const { height, width } = inputSize(transform);
  return { name, mean: [...mean], std: [...std], imageSize: height === width ? height : null, assumed: false };
}

/** Reads {@link PRETRAINING_KEY}; null when it is absent or invalid. */
export function pretrainingOf(metadata: Readonly<Record<string, string>>): Pretraining | null {
  const text = metadata[PRETRAINING_KEY];
  if (text === undefined) return null;
  try {
    const { name, mean, std, imageSize } = JSON.parse(text) as Partial<Pretraining>;
    const isTriple = (value: unknown): value is readonly [number, number, number] =>
      Array.isArray(value) && value.length === 3 && value.every((each) => Number.isFinite(each));
    if (typeof name !== 'string' || !isTriple(mean) || !isTriple(std) || !std.every((each) => each > 0)) return null;
    return { name, mean, std, imageSize: typeof imageSize === 'number' ? imageSize : null, assumed: false };
  } catch {
    return null;
  }
}

/**
 * Detects the pretraining of a weight file: from its metadata, from its name, or ImageNet's statistics as an
 * assumption.
 */
export function detectPretraining(path: string, metadata: Readonly<Record<string, string>>): Pretraining {
  checkArgument(pathSchema, path, 'detectPretraining', 'path');
  checkArgument(metadataSchema, metadata, 'detectPretraining', 'metadata');
  const base = path.split(/[\\/]/).at(-1) ?? path;
  return (
    pretrainingOf(metadata) ??
    TABLE.find(({ file }) => file === base)?.pretraining ?? {
      name: base,
      mean: MEAN,
      std: STD,
      imageSize: null,
      assumed: true,
    }
  );
}
