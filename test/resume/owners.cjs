/**
 * Starts two trainings into one new folder at the same moment, again and again: one trains, the other is refused with
 * the number of the process that has the folder.
 *   node test/resume/owners.cjs [--rounds 100]
 * Exit code 1 unless exactly one ended well each time and the model is its own.
 */
const { spawn } = require('node:child_process');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { Classifier, makePhantoms } = require('../../dist/index.js');

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '100' } } });
const dir = mkdtempSync(join(tmpdir(), 'covidct-owners-'));

/** A process that trains into a folder once it is told to; the seed tells its weights from the other's. */
function trainer(out, seed) {
  const child = spawn(process.execPath, [join(__dirname, 'train-once.cjs'), join(dir, 'data'), out, String(seed)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const messages = [];
  let wake = () => undefined;
  child.on('message', (message) => {
    messages.push(message);
    wake();
  });
  const next = async () => {
    while (messages.length === 0) await new Promise((resolve) => (wake = resolve));
    return messages.shift();
  };
  return { child, next };
}

async function main() {
  await makePhantoms(join(dir, 'data'), { count: 24, size: 32 });
  let [single, both, none, others] = [0, 0, 0, 0];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const out = join(dir, `run-${round}`);
    const pair = [trainer(out, 1), trainer(out, 2)];
    for (const { next } of pair) await next();
    for (const { child } of pair) child.send('go');
    const ends = await Promise.all(pair.map(({ next }) => next()));
    const winners = ends.filter(({ epochs }) => epochs !== undefined);
    if (winners.length === 1) single += 1;
    else if (winners.length === 2) both += 1;
    else none += 1;
    const busy = ends.find(({ epochs }) => epochs === undefined);
    const winner = pair[ends.indexOf(winners[0])];
    if (busy !== undefined && (busy.code !== 'ERR_BUSY' || busy.pid !== winner?.child.pid)) {
      others += 1;
      console.log(busy.message);
    }
    using(await Classifier.load(out, { threads: 1 }), (model) => {
      if (!model.origin.includes(`seed ${winners[0]?.seed}`)) others += 1;
    });
    rmSync(out, { recursive: true, force: true });
  }
  const counts = `${single} with one owner, ${both} with two, ${none} with none, ${others} refused otherwise`;
  console.log(`${values.rounds} rounds: ${counts}`);
  if (single !== Number(values.rounds) || others > 0) process.exitCode = 1;
}

function using(model, work) {
  work(model);
  model.dispose();
}

main().finally(() => rmSync(dir, { recursive: true, force: true }));
