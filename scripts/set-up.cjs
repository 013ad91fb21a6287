/** Finds or fetches LibTorch and builds the addon, telling on stderr how far it is. */
const path = require('node:path');

/** Rejects with a CovidCtError that says what is missing and what to do. */
async function setUp({ force = false, verbose = false } = {}) {
  const { buildAddon } = require(path.resolve(__dirname, '../dist/native/build.js'));
  const started = process.hrtime.bigint();
  const result = await buildAddon({ force, onOutput: (line) => { if (verbose) console.error(line); } });
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  console.error(`${result.built ? 'built' : 'up to date'}: ${path.relative(process.cwd(), result.addon)} (${seconds.toFixed(1)} s)`);
}

module.exports = { setUp };
