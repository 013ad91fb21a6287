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
  const line = (name, cells) => console.log(name.padEnd(20) + cells.map((cell) => cell.padStart(9)).join(''));
  line('run', ['epoch', 'val loss', 'val acc', 'val AUC', 'test acc', 'test AUC']);
  for (const { name, epochs, epoch, test } of rows) {
    const { validationLoss, validationAccuracy, validationAuc } = epoch;
    const values = [validationLoss, validationAccuracy, validationAuc, test?.accuracy, test?.auc];
    line(name, [`${epoch.epoch}/${epochs}`, ...values.map(number)]);
  }
  for (const architecture of new Set(rows.map((row) => row.architecture))) {
    const own = rows.filter((row) => row.architecture === architecture);
    const of = (pick) =>
      own.every((row) => pick(row) !== undefined && pick(row) !== null) ? mean(own.map(pick)) : null;
    const means = [
      of((row) => row.epoch.validationLoss),
      of((row) => row.epoch.validationAccuracy),
      of((row) => row.epoch.validationAuc),
      of((row) => row.test?.accuracy),
      of((row) => row.test?.auc),
    ];
    line(`mean ${architecture}`, [`n=${own.length}`, ...means.map(number)]);
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
