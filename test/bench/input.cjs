/**
 * The input of the first and of later epochs on a real data set, ours and one process of PIL and torchvision in turn:
 *   npm run bench:input -- --data COVID-CT --python PYTHON [--rounds 3] [--batch 8] [--threads 2] [--epochs 3]
 * shorter side to 256, random box to 224 x 224, flip, [0, 1], normalized. All splits together. Prints slices per second
 * (median of the rounds), the ratio to the peer's same epoch with its spread, and the pixels kept in memory.
 * `ours` resizes ahead, once for all epochs; `in step` resizes in each step, as without it.
 */
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { openDataset } = require('../../dist/index.js');
const { shuffle } = require('../../dist/data/random.js');
const { lastLine, median, sorted } = require('./turns.cjs');

const text = (value) => ({ type: 'string', default: value });
const { values } = parseArgs({
  options: {
    data: text(process.env.COVIDCT_DATA),
    python: text('python3'),
    rounds: text('3'),
    batch: text('8'),
    threads: text('2'),
    epochs: text('3'),
  },
});

function report(name, list, peers) {
  const cells = list[0].rates.map((_, epoch) => {
    const ratios = sorted(list.map(({ rates }, round) => rates[epoch] / peers[round].rates[epoch]));
    return `${median(list.map(({ rates }) => rates[epoch]))
      .toFixed(0)
      .padStart(6)} ${median(ratios).toFixed(1)} (${ratios[0].toFixed(1)} to ${ratios.at(-1).toFixed(1)})`;
  });
  const { bytes, call } = list.at(-1);
  const kept =
    bytes === undefined
      ? ''
      : `  ${(bytes / 2 ** 20).toFixed(0)} MiB kept, a call holds the event loop for ${call.toFixed(2)} ms`;
  console.log(`${name.padEnd(8)} ${cells.map((cell) => cell.padEnd(26)).join('')}${kept}`);
}

async function main() {
  if (values.data === undefined) throw new Error('give --data DIR or set COVIDCT_DATA');
  const data = await openDataset(values.data);
  const files = [data.train, data.validation, data.test]
    .flatMap((split) => split?.samples ?? [])
    .map(({ source }) => source);
  if (!files.every((source) => typeof source === 'string'))
    throw new Error('--data must name image files: a packed data set has none for the peer');
  const epochs = Number(values.epochs);
  const dir = mkdtempSync(join(tmpdir(), 'covidct-input-'));
  const task = (more) => {
    const file = join(dir, `task-${more.ahead ?? 'peer'}.json`);
    writeFileSync(
      file,
      JSON.stringify({
        files,
        batch: Number(values.batch),
        threads: Number(values.threads),
        orders: Array.from({ length: epochs }, (_, epoch) => shuffle(files.length, 0, epoch)),
        ...more,
      }),
    );
    return file;
  };
  try {
    const own = (ahead) => () => lastLine(process.execPath, [join(__dirname, 'input-own.cjs'), task({ ahead })]);
    const runners = {
      ours: own(true),
      'in step': own(false),
      PIL: () => lastLine(values.python, [join(__dirname, 'input_peer.py'), task({})]),
    };
    const results = { ours: [], 'in step': [], PIL: [] };
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const names = Object.keys(runners);
      for (const name of round % 2 === 0 ? names : names.reverse()) results[name].push(runners[name]());
    }
    console.log(
      `${files.length} slices of ${data.name}, ` +
        `batch ${values.batch}, ${values.threads} threads, ${values.rounds} rounds; ` +
        'slices per second and ratio to PIL (spread of the rounds), epoch after epoch',
    );
    for (const [name, list] of Object.entries(results)) report(name, list, results.PIL);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

void main();
