/**
 * Puts the runs of several architectures and seeds into one table:
 *   npm run table:runs -- RUNS
 * RUNS holds run folders of `covidct train` named <architecture>-seed<n>. Validation figures are those of the epoch
 * whose weights were kept; test figures are printed where `covidct evaluate --split test` has written them.
 */
const { readdirSync } = require('node:fs');
const { join } = require('node:path');
const { RunFolder } = require('../../dist/index.js');

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const number = (value) => (value === null || value === undefined ? '–' : value.toFixed(3)).padStart(9);

async function rowOf(dir, name) {
  const run = await RunFolder.open(join(dir, name));
  const { events, epochs } = await run.history();
  const kept = events.filter((event) => event.type === 'checkpoint' && event.kind === 'best').at(-1);
  const epoch = epochs.find((each) => each.epoch === kept?.epoch);
  if (epoch === undefined) throw new Error(`${name}: no epoch was kept; expected a finished run`);
  return {
    name,
    architecture: name.replace(/-seed\d+$/, ''),
    epochs: epochs.length,
    epoch,
    test: (await run.metrics()).test,
  };
}

async function main() {
  const [dir] = process.argv.slice(2);
  if (dir === undefined) throw new Error('expected the folder of the runs: npm run table:runs -- RUNS');
  const rows = [];
  for (const name of readdirSync(dir)
    .filter((each) => /-seed\d+$/.test(each))
    .sort())
    rows.push(await rowOf(dir, name));
  console.log(
    `${'run'.padEnd(20)}${['epoch', 'val loss', 'val acc', 'val AUC', 'test acc', 'test AUC'].map((text) => text.padStart(9)).join('')}`,
  );
  for (const { name, epochs, epoch, test } of rows) {
    console.log(
      `${name.padEnd(20)}${`${epoch.epoch}/${epochs}`.padStart(9)}${[epoch.validationLoss, epoch.validationAccuracy, epoch.validationAuc, test?.accuracy, test?.auc].map(number).join('')}`,
    );
  }
  for (const architecture of new Set(rows.map((row) => row.architecture))) {
    const own = rows.filter((row) => row.architecture === architecture);
    const of = (pick) =>
      own.every((row) => pick(row) !== undefined && pick(row) !== null) ? mean(own.map(pick)) : null;
    console.log(
      `${`mean ${architecture}`.padEnd(20)}${`n=${own.length}`.padStart(9)}${[of((r) => r.epoch.validationLoss), of((r) => r.epoch.validationAccuracy), of((r) => r.epoch.validationAuc), of((r) => r.test?.accuracy), of((r) => r.test?.auc)].map(number).join('')}`,
    );
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
