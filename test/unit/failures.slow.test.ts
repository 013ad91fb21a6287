/**
 * Every fault of a disk at every change that something makes, of trainings every seventh; prints how many there were.
 * FAILURES=all tries all of them, which takes half an hour:
 *   FAILURES=all npx jest -c jest.slow.config.cjs test/unit/failures
 */
import { tryAll } from '../helpers/failures';
import type { Failures, Try } from '../helpers/failures';
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

const fileScenarios = scenarios(() => server.url);

test.each([...trainings(makeFake), ...fileScenarios].map((each) => [each.name, each] as const))(
  '%s',
  async (_name, scenario) => {
    const isWhole = fileScenarios.includes(scenario) || process.env['FAILURES'] === 'all';
    const choose = (failures: Failures): Try[] => (isWhole ? failures.all() : failures.some(failures.count * 2.5));
    const { summary, findings } = await tryAll(scenario, choose);
    process.stdout.write(`${summary}\n`);
    expect(findings).toEqual([]);
  },
  1_800_000,
);
