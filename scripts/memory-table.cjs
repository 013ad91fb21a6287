/**
 * Measures the most memory that a process takes which trains each architecture, and writes src/model/training-memory.ts.
 *   npm run table:memory [-- --threads 2]
 * Two steps of forward, backward and SGD at 224 pixels with 1 and with 8 images, each in a process of its own.
 */
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { architectures, measureSizes } = require('../dist/index.js');

const BATCHES = [1, 8];

async function peaks(batchSize, threads) {
  const found = new Map();
  for await (const { architecture, training } of measureSizes(architectures(), { batchSize, imageSize: 224, threads })) {
    if (training.peakBytes === null) throw new Error(`${architecture}: ${training.problem}`);
    console.error(`${architecture}, ${batchSize}: ${Math.round(training.peakBytes / 2 ** 20)} MiB`);
    found.set(architecture, Math.round(training.peakBytes / 2 ** 20));
  }
  return found;
}

const source = (rows) => `/** Memory of a training on the CPU, from figures that \`npm run table:memory\` has measured and written here. */

/** Most MiB of the whole process at 224 pixels with ${BATCHES.join(' and with ')} images; SGD with momentum, float32, x64. */
const MEASURED: Readonly<Record<string, readonly [number, number]>> = {
${rows.map(([name, ...figures]) => `  ${name}: [${figures.join(', ')}],`).join('\n')}
};

const [SMALL, LARGE] = [${BATCHES.join(', ')}];
const SIDE = 224;

/**
 * About how many bytes a process takes that trains, decoded images apart: what grows with the images of a batch grows
 * with their number and area.
 *
 * @param sizes.batchSize images in one forward and backward pass
 * @param sizes.imageSize side of the square the network sees, in pixels
 * @returns null for an architecture that was not measured
 */
export function trainingMemory(architecture: string, sizes: { readonly batchSize: number; readonly imageSize: number }): number | null {
  const row = Object.hasOwn(MEASURED, architecture) ? MEASURED[architecture] : undefined;
  if (row === undefined) return null;
  const [small, large] = row;
  const perImage = (large - small) / (LARGE - SMALL);
  return (small + perImage * (sizes.batchSize * (sizes.imageSize / SIDE) ** 2 - SMALL)) * 2 ** 20;
}
`;

async function main() {
  const { values } = parseArgs({ options: { threads: { type: 'string', default: '2' } } });
  const measured = [];
  for (const batchSize of BATCHES) measured.push(await peaks(batchSize, Number(values.threads)));
  const rows = architectures().map((name) => [name, ...measured.map((each) => each.get(name))]);
  writeFileSync(join(__dirname, '../src/model/training-memory.ts'), source(rows));
}

void main();
