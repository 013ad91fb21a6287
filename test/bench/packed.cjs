/**
 * Whether many slices slow the step or grow the memory: an epoch of training a tiny network on a packed data set of
 * made-up slices, beside the same on a small set, each in a process of its own:
 * npm run bench:packed -- [--slices 100000] [--small 2000] [--size 64] [--batch 32] [--threads 2] [--cache-bytes
 *   33554432]
 * Of the first, a middle and the last tenth of the epoch prints slices per second, the median step and the median wait
 * for its input, processor time a step (of all threads: it does not depend on what else the machine does), and resident
 * memory; ends with code 1 when that grew by more than a tenth of the pixels in the file. Needs slices x size x size x
 * 3 bytes on the disk (1.2 GB as it stands) in the system's folder for temporary files, and gives them back.
 */
const { execFileSync } = require('node:child_process');
const { mkdtempSync, rmSync, statSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { lastLine } = require('./turns.cjs');

const text = (value) => ({ type: 'string', default: value });
const { values } = parseArgs({
  options: {
    slices: text('100000'),
    small: text('2000'),
    size: text('64'),
    batch: text('32'),
    threads: text('2'),
    'cache-bytes': text(String(32 * 2 ** 20)),
  },
});
const WINDOWS = 10;
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(0).padStart(5)} MiB`;

function measure(dir, slices) {
  const file = join(dir, `${slices}.pack`);
  const task = JSON.stringify({
    file,
    slices,
    size: Number(values.size),
    batch: Number(values.batch),
    threads: Number(values.threads),
    cacheBytes: Number(values['cache-bytes']),
    windows: WINDOWS,
  });
  const began = performance.now();
  execFileSync(process.execPath, [join(__dirname, 'packed-own.cjs'), task, 'pack'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const seconds = (performance.now() - began) / 1000,
    bytes = statSync(file).size;
  console.log(`${slices} slices: packed in ${seconds.toFixed(0)} s, ${mib(bytes)} on the disk`);
  const { parts, read, kept, done } = lastLine(process.execPath, [join(__dirname, 'packed-own.cjs'), task]);
  rmSync(file);
  if (done !== slices) throw new Error(`expected an epoch of ${slices} slices; it had ${done}`);
  for (const [name, { rate, step, wait, cpu, rss }] of [
    ['start', parts[0]],
    ['middle', parts[Math.floor(parts.length / 2)]],
    ['end', parts.at(-1)],
  ]) {
    const cells = [
      `${name.padEnd(7)} ${rate.toFixed(0).padStart(6)} slices/s`,
      `step ${step.toFixed(1).padStart(6)} ms`,
      `wait ${wait.toFixed(1).padStart(5)} ms`,
      `processor ${cpu.toFixed(1).padStart(6)} ms per step`,
      `${mib(rss)} resident`,
    ];
    console.log(`  ${cells.join('   ')}`);
  }
  const growth = parts.at(-1).rss - parts[0].rss;
  console.log(
    `  grown by ${mib(growth).trim()} from the first tenth to the last; ${read} images ` +
      `read, ${mib(kept).trim()} kept of at most ${mib(Number(values['cache-bytes'])).trim()}`,
  );
  return { growth, bytes };
}

const dir = mkdtempSync(join(tmpdir(), 'covidct-packed-'));
try {
  measure(dir, Number(values.small));
  const { growth, bytes } = measure(dir, Number(values.slices));
  process.exitCode = growth > bytes / 10 ? 1 : 0;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
