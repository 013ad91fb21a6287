/**
 * Kills trainings by SIGKILL at random moments, resumes them each time, and compares what they end with, bit for bit,
 * with a training that was never interrupted:
 *   node test/resume/kills.cjs --data COVID-CT [--kills 100] [--arch tiny] [--image-size 64] [--seed 1] [--limit 40]
 *     [-- more flags of covidct train]
 * Compared are the weights (by SHA-256), the model card, every line of history.jsonl but its times, the metrics of all
 * splits, and what TensorBoard is shown. After each kill the model of the run folder is compared with its card too.
 * `--limit`: takes the first so many images of each class and split. Exit code 1 where anything differs.
 */
const { spawn } = require('node:child_process');
const { createHash } = require('node:crypto');
const { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');
const { parseArgs } = require('node:util');
const { openDataset } = require('../../dist/index.js');
const { readEvents } = require('./event-reader.cjs');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    kills: { type: 'string', default: '100' },
    arch: { type: 'string', default: 'tiny' },
    'image-size': { type: 'string', default: '64' },
    epochs: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    limit: { type: 'string', default: '20' },
  },
});
if (values.data === undefined) throw new Error('name a data set: --data DIR');
const MAIN = resolve(__dirname, '../../dist/cli/main.js');
let classes = '';
const dir = mkdtempSync(join(tmpdir(), 'covidct-kills-'));

/** Draws numbers in [0, 1) that a seed determines. */
function makeRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
const random = makeRandom(Number(values.seed));

/** A folder of classes with the first images of each split. */
async function smallData() {
  const data = await openDataset(values.data);
  classes = data.classes.join(',');
  for (const [name, split] of [
    ['train', data.train],
    ['val', data.validation],
    ['test', data.test],
  ]) {
    const taken = new Map();
    for (const { label, source, id } of split?.samples ?? []) {
      const count = taken.get(label) ?? 0;
      if (count >= Number(values.limit)) continue;
      taken.set(label, count + 1);
      const folder = join(dir, 'data', name, split.classes[label]);
      mkdirSync(folder, { recursive: true });
      symlinkSync(resolve(source), join(folder, `${count}-${id.replace(/[^\w.-]/g, '_')}`));
    }
  }
  return join(dir, 'data');
}

function flags(data, out, extra = []) {
  return [
    ...['train', '--data', data, '--out', out, '--resume', 'auto', '--quiet', '--keep', 'both', '--test'],
    ...['--arch', values.arch, '--image-size', values['image-size'], '--epochs', values.epochs, '--threads', '1'],
    ...['--classes', classes],
    ...['--batch-size', '4', '--accumulate', '2', '--lr', '0.001', '--checkpoint-every', '2steps'],
    ...positionals,
    ...extra,
  ];
}

/** Runs to the end, or until it is killed. Returns the exit code, null for a kill. */
function run(args, killAfter = null) {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.on('data', (chunk) => (text += chunk));
    const timer = killAfter === null ? null : setTimeout(() => child.kill('SIGKILL'), killAfter);
    child.on('error', fail);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (signal === 'SIGKILL') done(null);
      else if (code === 0) done(code);
      else fail(new Error(`covidct ended with ${code}: ${text}`));
    });
  });
}

const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** Whether the run folder's model is what its card says; true where there is none yet. */
function isWhole(out) {
  if (!existsSync(join(out, 'model.json'))) return true;
  const card = readJson(join(out, 'model.json'));
  return [card, ...(card.last ? [card.last] : [])].every(
    ({ weights, sha256: expected }) => existsSync(join(out, weights)) && sha256(join(out, weights)) === expected,
  );
}

/** Everything that must be equal. */
function summaryOf(out) {
  const { created, versions, ...card } = readJson(join(out, 'model.json'));
  void created;
  const history = readFileSync(join(out, 'history.jsonl'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const { time, seconds, needs, out: folder, config, path, ...rest } = JSON.parse(line);
      void [time, seconds, needs, folder, config, path];
      return rest;
    });
  const boards = readdirSync(join(out, 'tensorboard'));
  // By what they are of: the names themselves tell the time and the process.
  const board = Object.fromEntries(
    boards.map((name) => [/\.([a-z]+)$/.exec(name)?.[1] ?? 'scalars', readEvents(join(out, 'tensorboard', name))]),
  );
  return {
    card,
    versions,
    weights: readdirSync(join(out, 'weights')).map((name) => sha256(join(out, 'weights', name))),
    history,
    metrics: readJson(join(out, 'metrics.json')),
    boards: boards.length,
    scalars: board.scalars,
    pictures: [board.training, board.test],
    leftovers: readdirSync(out, { recursive: true }).filter((name) =>
      /^\.(config|history|model)\.json.*\.tmp$|^(weights|checkpoints)\/\.|^owner\.lock$/.test(name),
    ),
  };
}

/** Where two values first differ, shortly. */
function firstDifference(expected, found) {
  const [a, b] = [expected, found].map((value) => JSON.stringify(value));
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return [a, b].map((text) => `  ...${text.slice(Math.max(0, at - 80), at + 120)}`).join('\n');
}

async function main() {
  const data = await smallData();
  const began = Date.now();
  await run(flags(data, join(dir, 'whole')));
  const seconds = (Date.now() - began) / 1000;
  const expected = summaryOf(join(dir, 'whole'));
  console.log(`${values.arch}: uninterrupted in ${seconds.toFixed(1)} s`);
  let [kills, runs, torn, different] = [0, 0, 0, 0];
  while (kills < Number(values.kills)) {
    const out = join(dir, 'killed');
    for (let patience = 1; ; patience *= 1.1) {
      const prefetch = ['--prefetch', String(Math.floor(random() * 4))];
      const code = await run(flags(data, out, prefetch), random() * 0.6 * seconds * 1000 * Math.min(patience, 3));
      if (code !== null) break;
      kills += 1;
      if (!isWhole(out)) torn += 1;
    }
    runs += 1;
    const found = summaryOf(out);
    const parts = Object.keys(expected).filter((key) => JSON.stringify(found[key]) !== JSON.stringify(expected[key]));
    if (parts.length > 0) different += 1;
    for (const key of parts)
      console.log(`run ${runs} differs in ${key}:\n${firstDifference(expected[key], found[key])}`);
    console.log(`${runs} runs, ${kills} kills: ${different} differ, ${torn} torn`);
    rmSync(out, { recursive: true, force: true });
  }
  if (different + torn > 0) process.exitCode = 1;
}

main().finally(() => rmSync(dir, { recursive: true, force: true }));
