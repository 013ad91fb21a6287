/** Written by `npm run table:memory`; not to be edited by hand. */

/**
 * Most MiB of a process that trains, at 224 pixels with 1 and with 8 images: SGD with momentum, float32, on the CPU.
 */
export const MEASURED_MEMORY: Readonly<Record<string, readonly [number, number]>> = {
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
