/** Fine-tuning options against networks that cannot, stages of the real architectures, and the average's failures. */
import { Classifier } from '../../../src/model/classifier';
import { Averaging } from '../../../src/train/averaging';
import { inventoryOf, stagesOf } from '../../../src/train/parameter-selection';
import type { TrainerOptions } from '../../../src/train/trainer';
import { FakeNetwork } from './fake-network';
import { CLASSES, setUp } from './made-up';

test.each<[string, Partial<TrainerOptions>, RegExp]>([
  ['freeze', { freeze: 'backbone' }, /freeze: this network cannot be trained in parts; use a Classifier/],
  ['groups', { groups: [{ match: 'head', learningRate: 1 }] }, /groups: this network cannot be trained in parts/],
  ['ema', { ema: { decay: 0.9 } }, /ema: this network keeps no average/],
  ['cacheFeatures', { cacheFeatures: true }, /cacheFeatures: this network gives no features/],
])('a network without %s: a typed error that names the option', async (_, options, message) => {
  const { trainer, train, model } = await setUp(options);
  await expect(Promise.resolve(trainer.fit(train, null))).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(message),
  });
  expect(model.calls).toEqual([]);
});

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
    using model = await Classifier.create({ architecture, classes: ['a', 'b'], device: 'cpu', threads: 1 });
    const inventory = inventoryOf(model, 'freeze');
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
  const network = Object.assign(new FakeNetwork(CLASSES), {
    updateAverage: () => Promise.resolve(),
    swapAverage: () => ((swaps += 1) === 2 ? Promise.reject(new Error('second failure')) : Promise.resolve()),
    dropAverage: () => Promise.resolve(),
  });
  const averaging = new Averaging(network, { decay: 0.9 });
  await averaging.stepped();
  await expect(averaging.during(() => Promise.reject(new Error('first failure')))).rejects.toThrow('first failure');
  expect(swaps).toBe(2);
});
