/** Junk given to everything that is exported is refused by an error of this library's, and does nothing else. */
import { fuzzExports } from './exports';

test('every exported function, constructor and method, called with junk, yields CovidCtErrors alone', async () => {
  const { failures, ...counts } = await fuzzExports(3000, 20261126);
  process.stdout.write(`${JSON.stringify(counts)}\n`);
  expect(failures).toEqual([]);
  expect(counts.targets).toBeGreaterThan(120);
  expect(counts.refused).toBeGreaterThan(1500);
}, 150_000);
