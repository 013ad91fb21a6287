/**
 * Time and peak memory of loading a full VGG19-BN (575 MB), ours and PyTorch in turn, each in a process of its own:
 *   npm run bench:load -- --python PYTHON [--rounds 5] [--files DIR]
 * The files are written by PyTorch into a temporary folder that is removed (2.3 GB), or are those of --files, where
 * `make_files.py full DIR` has written them. Ours checks the CRC-32 of every tensor in a
 * zip .pth, which torch.load does not.
 */
const { execFileSync } = require('node:child_process');
const { mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { lastLine, median, sorted } = require('./turns.cjs');

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    rounds: { type: 'string', default: '5' },
    files: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const here = (name) => join(__dirname, name);

function measure(file, kind) {
  const [ours, theirs] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    readFileSync(file); // both read from the page cache
    const turns = [
      () => ours.push(lastLine(process.execPath, [here('load-own.cjs'), file])),
      () => theirs.push(lastLine(values.python, [here('load_peer.py'), kind, file])),
    ];
    for (const turn of round % 2 === 0 ? turns : turns.reverse()) turn();
  }
  return { ours, theirs };
}

function report(name, { ours, theirs }) {
  const cells = [];
  for (const [pick, unit, digits] of [
    [(r) => r.seconds, 's', 2],
    [(r) => r.peak / 2 ** 20, 'MiB', 0],
    [(r) => (r.peak - r.baseline) / 2 ** 20, 'MiB', 0],
  ]) {
    const [a, b] = [ours.map(pick), theirs.map(pick)];
    const ratios = sorted(a.map((value, index) => value / b[index]));
    const ratio = `${(median(a) / median(b)).toFixed(2)} (${ratios[0].toFixed(2)} to ${ratios.at(-1).toFixed(2)})`;
    cells.push(`${median(a).toFixed(digits)} / ${median(b).toFixed(digits)} ${unit} = ${ratio}`.padEnd(40));
  }
  console.log(name.padEnd(13) + cells.join(' ').trimEnd());
}

const dir = values.files ?? mkdtempSync(join(tmpdir(), 'covidct-load-'));
try {
  if (!values.files)
    execFileSync(values.python, [here('../parity/weights/make_files.py'), 'full', dir], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  console.log(`VGG19-BN into a network that is there, ours / PyTorch = ratio of medians (ratios of ${rounds} rounds)`);
  console.log(`${'file'.padEnd(13)}${'time'.padEnd(40)} ${'peak of the process'.padEnd(40)} peak above the network`);
  for (const [name, kind] of [
    ['zip.pth', 'pth'],
    ['legacy.pth', 'pth'],
    ['python.safetensors', 'safetensors'],
  ])
    report(name.replace('python.', ''), measure(join(dir, name), kind));
} finally {
  if (!values.files) rmSync(dir, { recursive: true, force: true });
}
