/** Faults of a disk under trainings of the addon's own network, whose weights it writes itself. */
import { Classifier } from '../../src/index';
import { tryAll } from '../helpers/failures';
import { trainings } from '../helpers/failing-trainings';
import { CLASSES } from '../unit/train/made-up';

beforeAll(() => {
  jest.spyOn(process, 'emitWarning').mockReturnValue(undefined); // of folders taken over from damaged owners
});

const make = () => Classifier.create({ architecture: 'tiny', classes: CLASSES, device: 'cpu', threads: 1, seed: 1 });

test.each(trainings(make).map((each) => [each.name, each] as const))('%s', async (_name, scenario) => {
  const { findings } = await tryAll(scenario, (failures) => failures.some(12));
  expect(findings).toEqual([]);
});
