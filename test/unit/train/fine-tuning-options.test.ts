/** Stages of the real architectures, and the average's failures. */
import { createNetwork } from '../../../src/model/open-network';
import { Averaging } from '../../../src/train/averaging';
import { inventoryOf, stagesOf } from '../../../src/train/parameter-selection';
import { FakeNetwork } from '../../helpers/fake-network';
import { CLASSES } from './made-up';

test.each([
  ['resnet18', ['conv1', 'layer1', 'layer2', 'layer3', 'layer4']],
  ['resnet50', ['conv1', 'layer1', 'layer2', 'layer3', 'layer4']],
  [
    'densenet121',
    [
      'features.conv0',
      'features.denseblock1',
      'features.transition1',
      'features.denseblock2',
      'features.transition2',
      'features.denseblock3',
      'features.transition3',
      'features.denseblock4',
    ],
  ],
  [
    'vgg11_bn',
    [
      'features.0',
      'features.4',
      'features.8',
      'features.11',
      'features.15',
      'features.18',
      'features.22',
      'features.25',
    ],
  ],
  [
    'vgg11',
    [
      'features.0',
      'features.3',
      'features.6',
      'features.8',
      'features.11',
      'features.13',
      'features.16',
      'features.18',
    ],
  ],
])(
  '%s: the stages that depth counts, each with its batch norms; together they are the backbone',
  async (architecture, expected) => {
    using model = await createNetwork({ architecture, classes: ['a', 'b'], device: 'cpu', threads: 1 });
    const inventory = inventoryOf(model);
    const stages = stagesOf(inventory);
    const backbone = inventory.parameters
      .map(({ name }) => name)
      .filter((name) => !name.startsWith(inventory.headPrefix));
    expect(stages.flat().toSorted()).toEqual(backbone.toSorted());
    expect(stages.slice(0, expected.length).map((stage, i) => stage[0]?.startsWith(`${expected[i]}.`))).toEqual(
      expected.map(() => true),
    );
    expect(stages).toHaveLength(expected.length);
    for (const norm of inventory.norms)
      expect(stages.filter((stage) => stage.includes(`${norm}.weight`) && stage.includes(`${norm}.bias`))).toHaveLength(
        1,
      );
  },
  60_000,
);

test('what fails while the averaged weights are in place is what is reported, even when they cannot be put back', async () => {
  let swaps = 0;
  const network = new FakeNetwork(CLASSES);
  jest
    .spyOn(network, 'average')
    .mockImplementation((op) =>
      op === 'swap' && (swaps += 1) === 2 ? Promise.reject(new Error('second failure')) : Promise.resolve(),
    );
  const averaging = new Averaging(network, { decay: 0.9 });
  await averaging.update();
  await expect(averaging.during(() => Promise.reject(new Error('first failure')))).rejects.toThrow('first failure');
  expect(swaps).toBe(2);
});
