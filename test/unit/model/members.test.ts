/** The two narrow borders, counted: what a user's editor shows of a Classifier, and the calls of the addon. */
import { loadNative } from '../../../src/addon/load';
import { Classifier, classifierOf, isClassifier, networkOf } from '../../../src/model/classifier';
import { FakeNetwork } from '../../helpers/fake-network';

const membersOf = (prototype: object): string[] =>
  Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor');

test('a classifier shows 22 members and hides its network', () => {
  expect(membersOf(Classifier.prototype)).toEqual([
    'architecture',
    'classes',
    'channels',
    'device',
    'deviceReason',
    'precision',
    'parameterCount',
    'layers',
    'transform',
    'threshold',
    'sixteenBit',
    'pretraining',
    'origin',
    'bytes',
    'tensors',
    'configure',
    'predict',
    'explain',
    'save',
    'saveWeights',
    'loadWeights',
    'dispose',
  ]);
  const network = new FakeNetwork(['a', 'b']);
  const classifier = classifierOf(network);
  expect(Object.keys(classifier)).toEqual([]);
  expect(networkOf(classifier)).toBe(network);
  expect([classifier, network, null, {}].map(isClassifier)).toEqual([true, false, false, false]);
});

test('the addon has 18 calls, and a network passes on all but those of its life', async () => {
  const native = membersOf(loadNative().Classifier.prototype as object);
  expect(native.sort()).toEqual([
    'average',
    'bytes',
    'configureOptimizer',
    'dispose',
    'features',
    'finishWrite',
    'gradCam',
    'input',
    'keepPixels',
    'optimizerStep',
    'predict',
    'readOutputs',
    'readTensors',
    'ready',
    'setTrainable',
    'trainStep',
    'trainingState',
    'writeTensors',
  ]);
  using classifier = await Classifier.create({ architecture: 'tiny', classes: ['a', 'b'], threads: 1 });
  const network = networkOf(classifier) as unknown as Record<string, unknown>;
  for (const name of native) {
    if (name !== 'ready')
      expect([name, typeof network[name]]).toEqual([name, name === 'bytes' ? 'number' : 'function']);
  }
});
