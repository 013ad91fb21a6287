/**
 * Calls everything that is exported with junk, from a seed on, and says what became of the cases:
 *   npm run fuzz:exports -- [--cases 5000] [--seed 1] [--rounds 10]
 * Each round has its own process and the next seed. Ends with 1 where anything but an error of this library's came.
 */
const { parseArgs } = require('node:util');
require('../parity/network/register.cjs').register();
const { fuzzExports } = require('./exports.ts');

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '10' },
  },
});

async function main() {
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const counts = await fuzzExports(Number(values.cases), Number(values.seed) + round, 600_000);
    console.log(JSON.stringify(counts));
    if (counts.failures.length > 0) process.exitCode = 1;
  }
}

void main();
