/** Every fault of a disk at every change that something makes; prints how many there were. */
import { tryAll } from '../helpers/failures';
import { makeFake, scenarios, SERVED, trainings } from '../helpers/failure-scenarios';
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
    const { summary, findings } = await tryAll(scenario, (failures) => failures.all());
    process.stdout.write(`${summary}\n`);
    expect(findings).toEqual([]);
  },
  1_800_000,
);
