/**
 * What a training takes on this machine: time of an epoch, most memory, disk of the run folder, as a Markdown table.
 *   node scripts/expectations.cjs --data COVID-CT [--arch vgg19_bn,vgg11_bn,resnet18] [--threads 2]
 * Trains one epoch each with the tutorial's recipe at 224 pixels, in a process of its own; on a quiet machine only.
 * Says the load.
 */
const { spawn } = require('node:child_process');
const { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } = require('node:fs');
const { cpus, loadavg, tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    arch: { type: 'string', default: 'vgg19_bn,vgg11_bn,resnet18' },
    threads: { type: 'string', default: '0' },
  },
});
if (values.data === undefined) throw new Error('name a data set: --data DIR');

function sizeOf(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, each) => sum + (each.isFile() ? each.size : 0), 0);
}

/**
 * The most resident memory that the system says the process has had, in
 * bytes; looked at often, for it goes with the process.
 */
function peakOf(pid) {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function train(architecture, out) {
  const command = [
    join(__dirname, '..', 'dist', 'cli', 'main.js'),
    'train',
    '--data',
    values.data,
    '--arch',
    architecture,
    '--out',
    out,
    '--epochs',
    '1',
    '--threads',
    values.threads,
    '--quiet',
  ];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'inherit'] });
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, peakOf(child.pid));
  }, 100);
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('exit', (code) => {
      clearInterval(timer);
      if (code === 0) resolve(peak);
      else reject(new Error(`training ${architecture} ended with code ${code}`));
    });
  });
}

async function main() {
  const root = mkdtempSync(join(tmpdir(), 'covidct-expectations-'));
  console.log(
    `${cpus()[0]?.model}, ${cpus().length} cores, load ${loadavg()[0].toFixed(1)} before\n` +
      `\n| network | one epoch | memory | run folder |\n| --- | --- | --- | --- |`,
  );
  try {
    for (const architecture of values.arch.split(',')) {
      const out = join(root, architecture);
      const peak = await train(architecture, out);
      const epoch = readFileSync(join(out, 'history.jsonl'), 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
        .find(({ type }) => type === 'epoch');
      console.log(
        `| ${architecture} | ${Math.round(epoch.seconds)} s ` +
          `| ${(peak / 2 ** 30).toFixed(1)} GiB | ${Math.round(sizeOf(out) / 2 ** 20)} MiB |`,
      );
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

void main();
