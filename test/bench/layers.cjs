/**
 * Our own convolutions beside LibTorch's, layer by layer: time of the forward pass and of both gradients, and the error
 * of each against float64:
 *   npm run bench:layers -- [--batch 8] [--threads 2] [--rounds 5]
 * Needs cmake and a C++ compiler, as the addon does; builds its program into build/.
 */
const { execFileSync } = require('node:child_process');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { findLibTorch } = require('../../dist/addon/libtorch.js');

const text = (value) => ({ type: 'string', default: value });
const { values } = parseArgs({ options: { batch: text('8'), threads: text('2'), rounds: text('5') } });
const root = join(__dirname, '../..');
const libtorch = findLibTorch();
const build = join(root, 'build', `layers-${libtorch.version}-${libtorch.variant}`);
const quietly = { stdio: ['ignore', 'ignore', 'inherit'] };
execFileSync(
  'cmake',
  ['-S', root, '-B', build, '-DCMAKE_BUILD_TYPE=Release', `-DCOVIDCT_LIBTORCH=${libtorch.root}`, '-DCOVIDCT_LAYERS=ON'],
  quietly,
);
execFileSync('cmake', ['--build', build, '--target', 'covidct_layers'], quietly);
execFileSync(join(build, 'covidct_layers'), [values.batch, values.threads, values.rounds], {
  stdio: ['ignore', 'inherit', 'inherit'],
});
