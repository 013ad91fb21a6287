/**
 * Fuzzes the readers of zip archives, from a seed on, and says what became of the cases:
 *   npm run fuzz:zip -- [--cases 20000] [--seed 1]
 * Ends with 1 where anything but an error of this library's came, or came where nobody listens, or a file was written
 * outside its folder. Each fault names the seed, which makes the same bytes again.
 */
const { parseArgs } = require('node:util');
require('../parity/network/register.cjs').register();
const { fuzzZip } = require('./zip.ts');

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '20000' }, seed: { type: 'string', default: '1' } },
});

void fuzzZip(Number(values.cases), Number(values.seed)).then((counts) => {
  console.log(JSON.stringify(counts, null, 2));
  process.exitCode = counts.faults.length === 0 ? 0 : 1;
});
