/** Faults of a disk at some of the changes that something makes; failures.slow.test.ts tries all of them. */
import { tryAll } from '../helpers/failures';
import { scenarios, SERVED } from '../helpers/failure-scenarios';
import { makeFake, trainings } from '../helpers/failing-trainings';
import { FakeNetwork } from '../helpers/fake-network';
import { serveArchive } from './install/archive-server';
import type { ArchiveServer } from './install/archive-server';
import { CLASSES } from './train/made-up';

// A run that goes on makes its own network.
jest.mock('../../src/model/open-network', () => ({
  ...jest.requireActual<object>('../../src/model/open-network'),
  createNetwork: () => Promise.resolve(new FakeNetwork(CLASSES)),
}));

let server: ArchiveServer;
beforeAll(async () => {
  jest.spyOn(process, 'emitWarning').mockReturnValue(undefined); // of folders taken over from damaged owners
  server = await serveArchive(SERVED);
});
afterAll(() => server.close());

test.each([...trainings(makeFake), ...scenarios(() => server.url)].map((each) => [each.name, each] as const))(
  '%s',
  async (_name, scenario) => {
    const { findings } = await tryAll(scenario, (failures) => failures.some(24));
    expect(findings).toEqual([]);
  },
);
