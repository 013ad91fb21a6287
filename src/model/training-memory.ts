/** Memory of a training on the CPU, from figures that `npm run table:memory` has measured and written here. */

/** Most MiB of the whole process at 224 pixels with 1 and with 8 images; SGD with momentum, float32, x64. */
const MEASURED: Readonly<Record<string, readonly [number, number]>> = {
  vgg11: [1827, 2260],
  vgg11_bn: [1817, 2242],
  vgg13: [1850, 2495],
  vgg13_bn: [1822, 2395],
  vgg16: [1922, 2567],
  vgg16_bn: [1897, 2487],
  vgg19: [1984, 2649],
  vgg19_bn: [1964, 2584],
  tiny: [218, 304],
  resnet18: [391, 578],
  resnet34: [508, 738],
  resnet50: [601, 1194],
  resnet101: [809, 1636],
  resnet152: [1027, 2117],
  densenet121: [435, 1190],
  densenet161: [724, 2171],
  densenet169: [519, 1453],
  densenet201: [618, 1863],
};

const [SMALL, LARGE] = [1, 8];
const SIDE = 224;

/**
 * About how many bytes a process takes that trains, decoded images apart: what grows with the images of a batch grows
 * with their number and area.
 *
 * @param sizes.batchSize images in one forward and backward pass
 * @param sizes.imageSize side of the square the network sees, in pixels
 * @returns null for an architecture that was not measured
 */
export function trainingMemory(architecture: string, sizes: { readonly batchSize: number; readonly imageSize: number }): number | null {
  const row = Object.hasOwn(MEASURED, architecture) ? MEASURED[architecture] : undefined;
  if (row === undefined) return null;
  const [small, large] = row;
  const perImage = (large - small) / (LARGE - SMALL);
  return (small + perImage * (sizes.batchSize * (sizes.imageSize / SIDE) ** 2 - SMALL)) * 2 ** 20;
}
