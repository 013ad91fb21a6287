/** Detects the architecture of weights from the names and the number of their convolutions. */
import type { NativeTensorSource } from '../addon/types';
import { faultless, isObject, listFault } from '../options/atoms';
import { checkArgument } from '../options/check';
import { withoutWrappers } from './names';

const tensorsSchema = faultless<readonly Pick<NativeTensorSource, 'name' | 'shape'>[]>((value) =>
  listFault(value, 'tensors', (tensor) =>
    isObject(tensor) && typeof tensor['name'] === 'string' && Array.isArray(tensor['shape'])
      ? null
      : { path: [], message: 'expected a tensor: { name, shape }' },
  ),
);

/** Number of convolutions of each variant. */
const VGG: Readonly<Record<number, string>> = { 8: 'vgg11', 10: 'vgg13', 13: 'vgg16', 16: 'vgg19' };
const RESNET: Readonly<Record<number, string>> = {
  20: 'resnet18',
  36: 'resnet34',
  53: 'resnet50',
  104: 'resnet101',
  155: 'resnet152',
};
const DENSENET: Readonly<Record<number, string>> = {
  120: 'densenet121',
  160: 'densenet161',
  168: 'densenet169',
  200: 'densenet201',
};
const SQUEEZENET: Readonly<Record<number, string>> = { 96: 'squeezenet1_0', 64: 'squeezenet1_1' };
/** Number of convolutions and channels of the last one; B1 and B2 differ only in width. */
const EFFICIENTNET: Readonly<Record<string, string>> = {
  '81,1280': 'efficientnet_b0',
  '115,1280': 'efficientnet_b1',
  '115,1408': 'efficientnet_b2',
};

/** A parameter name of each family that no other family has. */
const MARKS = ['layer1.0.conv1.weight', 'features.conv0.weight', 'features.0.weight', 'features.0.0.weight'];

/** Finds the prefix of the network's names: wrappers, or the attribute of a larger module. */
function prefixOf(names: readonly string[]): string {
  for (const mark of MARKS) {
    const name = names.find((each) => each === mark || each.endsWith(`.${mark}`));
    if (name !== undefined) return name.slice(0, -mark.length);
  }
  return '';
}

/**
 * Returns the name of the architecture, or null when it is not a known one.
 *
 * @example
 * ```ts
 * import { detectArchitecture, openWeightFile } from 'covidct-torch/weights';
 *
 * const file = await openWeightFile('checkpoint.pth');
 * console.log(detectArchitecture(file.tensors)); // e.g. resnet50
 * ```
 */
export function detectArchitecture(tensors: readonly Pick<NativeTensorSource, 'name' | 'shape'>[]): string | null {
  checkArgument(tensorsSchema, tensors, 'detectArchitecture', 'tensors');
  const plain = tensors.map(({ name, shape }) => ({ name: withoutWrappers(name), shape }));
  const prefix = prefixOf(plain.map(({ name }) => name));
  const inside = plain.filter(({ name }) => name.startsWith(prefix));
  const names = new Set(inside.map(({ name }) => name.slice(prefix.length)));
  const channelsOf = (name: string): number | undefined => inside.find((each) => each.name === prefix + name)?.shape[0];
  const convolutions = inside.filter(({ shape }) => shape.length === 4).length;
  if (names.has('layer1.0.conv1.weight')) return RESNET[convolutions] ?? null;
  if (names.has('features.conv0.weight')) return DENSENET[convolutions] ?? null;
  if (names.has('features.3.squeeze.weight')) return SQUEEZENET[channelsOf('features.0.weight') ?? 0] ?? null;
  if (names.has('features.1.0.block.1.fc1.weight'))
    return EFFICIENTNET[`${convolutions},${channelsOf('features.8.0.weight') ?? 0}`] ?? null;
  if (!names.has('features.0.weight') || !names.has('classifier.6.weight')) return null;
  if (convolutions === 3) return 'tiny';
  const depth = VGG[convolutions];
  return depth === undefined ? null : `${depth}${names.has('features.1.running_mean') ? '_bn' : ''}`;
}
