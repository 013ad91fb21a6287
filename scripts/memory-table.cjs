/**
 * Measures the most memory that a process takes which trains each architecture, and writes
 * src/model/training-memory-table.ts.
 *   npm run table:memory [-- --threads 2]
 * Two steps of forward, backward and SGD at 224 pixels with 1 and with 8 images, each in a process of its own.
 */
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { architectures } = require('../dist/index.js');
const { measureSizes } = require('../dist/bench/index.js');

const BATCHES = [1, 8];

async function peaks(batchSize, threads) {
  const found = new Map();
  for await (const { architecture, training } of measureSizes(architectures(), {
    batchSize,
    imageSize: 224,
    threads,
  })) {
    if (training.peakBytes === null) throw new Error(`${architecture}: ${training.problem}`);
    console.error(`${architecture}, ${batchSize}: ${Math.round(training.peakBytes / 2 ** 20)} MiB`);
    found.set(architecture, Math.round(training.peakBytes / 2 ** 20));
  }
  return found;
}

const source = (rows) => `/** Written by \`npm run table:memory\`; not to be edited by hand. */

/**
 * Most MiB of a process that trains, at 224 pixels with ${BATCHES.join(' and with ')} images, by SGD with momentum,
 * float32, CPU.
 */
export const MEASURED_MEMORY: Readonly<Record<string, readonly [number, number]>> = {
${rows.map(([name, ...figures]) => `  ${name}: [${figures.join(', ')}],`).join('\n')}
};
`;

async function main() {
  const { values } = parseArgs({ options: { threads: { type: 'string', default: '2' } } });
  const measured = [];
  for (const batchSize of BATCHES) measured.push(await peaks(batchSize, Number(values.threads)));
  const rows = architectures().map((name) => [name, ...measured.map((each) => each.get(name))]);
  writeFileSync(join(__dirname, '../src/model/training-memory-table.ts'), source(rows));
}

void main();
