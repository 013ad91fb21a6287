/** Written by `npm run table:memory`; not to be edited by hand. */

/** Most MiB of a process that trains, at 224 pixels with 1 and with 8 images, by SGD with momentum, float32, CPU. */
export const MEASURED_MEMORY: Readonly<Record<string, readonly [number, number]>> = {
  vgg11: [1827, 2264],
  vgg11_bn: [1810, 2246],
  vgg13: [1845, 2499],
  vgg13_bn: [1821, 2393],
  vgg16: [1915, 2563],
  vgg16_bn: [1893, 2485],
  vgg19: [1980, 2650],
  vgg19_bn: [1967, 2583],
  tiny: [216, 303],
  resnet18: [391, 578],
  resnet34: [508, 744],
  resnet50: [599, 1194],
  resnet101: [814, 1640],
  resnet152: [1028, 2115],
  densenet121: [368, 676],
  densenet161: [625, 1110],
  densenet169: [441, 764],
  densenet201: [510, 856],
  squeezenet1_0: [270, 524],
  squeezenet1_1: [237, 394],
  efficientnet_b0: [355, 955],
  efficientnet_b1: [420, 1250],
  efficientnet_b2: [447, 1308],
};
