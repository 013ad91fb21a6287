/**
 * Calls everything that the entries export with junk, in a process and a folder of its own.
 * Arguments: seed, number of cases. Prints a line of JSON: the counts, and what was no CovidCtError.
 */
const { mkdirSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
require('../parity/network/register.cjs').register();
/** Everything that is public, of all entries. */
const index = {
  ...require('../../src/index.ts'),
  ...require('../../src/metrics/index.ts'),
  ...require('../../src/report/index.ts'),
  ...require('../../src/runs/index.ts'),
  ...require('../../src/weights/index.ts'),
  ...require('../../src/bench/index.ts'),
  ...require('../../src/install/index.ts'),
};
const { guard } = require('./guards.cjs');
const { JUNK, makeRandom } = require('./junk.cjs');
const { COSTLY, EXCLUDED, makeInstances, validArguments } = require('./known-exports.cjs');

const root = process.cwd(); // of the temporary folder that the parent made
const [seed, cases] = process.argv.slice(2).map(Number);
const HANG_MS = 10_000;
const failures = [];
let current = '';

const broken = (what) => {
  if (failures.length < 200) failures.push(`${current}: ${what}`);
};
process.on('unhandledRejection', (error) => broken(`unhandled rejection: ${short(error)}`));
process.on('uncaughtException', (error) => broken(`uncaught exception: ${short(error)}`));

function short(error) {
  try {
    return `${String(error?.stack ?? error)
      .split('\n')
      .slice(0, 4)
      .join(' | ')
      .slice(0, 400)}`;
  } catch {
    return 'an error that cannot be told';
  }
}

/** Every function, static method and method, as { name, call }. */
function targetsOf(instances) {
  const targets = [];
  const add = (name, owner, key) => {
    if (Object.hasOwn(EXCLUDED, name)) return;
    targets.push({ name, call: (args) => Reflect.apply(owner[key], owner, args) });
  };
  for (const [name, value] of Object.entries(index)) {
    if (typeof value !== 'function' || Object.hasOwn(EXCLUDED, name)) continue;
    if (!/^class\b/.test(Function.prototype.toString.call(value))) {
      targets.push({ name, call: (args) => value(...args) });
      continue;
    }
    if (!Object.hasOwn(EXCLUDED, `new ${name}`))
      targets.push({ name: `new ${name}`, call: (args) => new value(...args) });
    for (const key of Object.getOwnPropertyNames(value))
      if (typeof value[key] === 'function') add(`${name}.${key}`, value, key);
    const instance = instances[name];
    if (instance === undefined) {
      broken(`${name} is exported, but known-exports.cjs does not say how to make one`);
      continue;
    }
    for (
      let proto = Object.getPrototypeOf(instance);
      proto !== Object.prototype;
      proto = Object.getPrototypeOf(proto)
    ) {
      for (const key of Object.getOwnPropertyNames(proto)) {
        const { value: method } = Object.getOwnPropertyDescriptor(proto, key);
        if (key !== 'constructor' && typeof method === 'function') add(`${name}#${key}`, instance, key);
      }
    }
  }
  return targets;
}

/** What a call gives is taken to its end: promises, generators, functions that undo. */
async function settle(result) {
  if (
    result !== null &&
    typeof result === 'object' &&
    typeof result.next === 'function' &&
    typeof result[Symbol.asyncIterator] === 'function'
  ) {
    await result.next();
    await result.return?.();
    return;
  }
  const value = await result;
  if (typeof value === 'function') value();
  if (typeof value?.stop === 'function') await value.stop();
  if (Array.isArray(value)) await Promise.all(value);
  if ([index.Classifier, index.Predictor, index.PackedDataset].some((each) => value instanceof each))
    await (value.dispose ?? value.close).call(value);
}

async function run(name, call, args, words) {
  current = `${name}(${words.join(', ')})`;
  writeFileSync(join(root, 'current-case'), current); // for whoever finds this process hanging
  let timer;
  const hang = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer after ${HANG_MS} ms`)), HANG_MS);
  });
  try {
    await Promise.race([Promise.resolve().then(() => settle(call(args))), hang]);
    return 'accepted';
  } catch (error) {
    if (
      error instanceof index.CovidCtError &&
      typeof error.message === 'string' &&
      error.message !== '' &&
      error.message.length < 10_000 &&
      Object.hasOwn(index.ERROR_CODES, error.code)
    )
      return 'refused';
    broken(short(error));
    return 'failed';
  } finally {
    clearTimeout(timer);
  }
}

/** Arguments for one case: all junk, or junk in one place of valid ones, or one option of them junk. */
function makeArguments(valid, random) {
  const pick = () => JUNK[Math.floor(random() * JUNK.length)];
  if (valid === undefined || random() < 0.25) {
    const chosen = Array.from({ length: Math.floor(random() * 4) }, pick);
    return { args: chosen.map(([, make]) => make()), words: chosen.map(([word]) => word) };
  }
  const args = [...valid()];
  const words = args.map(() => 'valid');
  const place = Math.floor(random() * Math.max(1, args.length));
  const [word, make] = pick();
  const keys =
    typeof args[place] === 'object' && args[place] !== null && Object.getPrototypeOf(args[place]) === Object.prototype
      ? Object.keys(args[place])
      : [];
  if (keys.length > 0 && random() < 0.7) {
    const key = keys[Math.floor(random() * keys.length)];
    args[place] = { ...args[place], [key]: make() };
    words[place] = `valid with ${key}: ${word}`;
  } else {
    args[place] = make();
    words[place] = word;
  }
  return { args, words };
}

const isEmpty = (value) => {
  try {
    return typeof value !== 'object' || value === null || Object.keys(value).length === 0;
  } catch {
    return false;
  }
};

async function main() {
  mkdirSync(join(root, 'made'));
  const instances = await makeInstances(index, join(root, 'made'));
  guard(root, (what) => broken(`guarded: ${what}`));
  const targets = targetsOf(instances);
  const counts = { accepted: 0, refused: 0, failed: 0 };
  const random = makeRandom(seed);
  // Each target with each kind of junk alone in first place, as far as the number of cases goes; then at random.
  for (let at = 0; at < cases; at += 1) {
    const { name, call } = targets[at % targets.length];
    const { args, words } = makeArguments(validArguments(name, index, instances, join(root, 'made')), random);
    if (
      COSTLY.includes(name) &&
      (args[0] === undefined || isEmpty(args[0]) || words.some((word) => word.endsWith('undefined')))
    )
      continue; // valid, and costly
    counts[await run(name, call, args, words)] += 1;
  }
  for (let at = 0; at < 3; at += 1)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  if (index.Object?.prototype?.polluted !== undefined || {}.polluted !== undefined)
    broken('the prototype of all objects was changed');
  instances.Classifier.dispose();
  process.stdout.write(`${JSON.stringify({ seed, cases, targets: targets.length, ...counts, failures })}\n`, () =>
    process.exit(0),
  );
}

main().catch((error) => {
  process.stdout.write(
    `${JSON.stringify({ failures: [`${current}: the fuzzer itself failed: ${short(error)}`] })}\n`,
    () => process.exit(1),
  );
});
