/**
 * Every classifier computes with its own number of threads, in every order of loading and computing: by bits and by
 * threads at work.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';

interface Found {
  /** Of gradients and answers; absent for a resizer. */
  readonly bits?: string;
  /** Threads at work, where /proc tells. */
  readonly team: number;
}

interface Run {
  readonly threads: readonly number[];
  readonly order: readonly string[];
  readonly architecture?: string;
  readonly together?: boolean;
}

const hasProc = existsSync('/proc/self/task');

/** Runs of the main thread, then of one worker thread after another, in a process of their own. */
function inProcess(
  runs: readonly Run[],
  workers: readonly (readonly Run[])[] = [],
  env: NodeJS.ProcessEnv = {},
): Found[][][] {
  const text = execFileSync(
    process.execPath,
    [join(__dirname, 'child', 'threads.cjs'), JSON.stringify({ runs, workers })],
    { encoding: 'utf8', env: { ...process.env, ...env } },
  );
  return JSON.parse(text) as Found[][][];
}

/** All orders of `load i` and `run i` for i < n in which each is loaded before it runs. */
function orders(n: number, done: readonly string[] = []): string[][] {
  if (done.length === 2 * n) return [[...done]];
  return Array.from({ length: n }, (_, i) => [`load ${i}`, `run ${i}`]).flatMap((pair) => {
    const next = pair.find((each) => !done.includes(each));
    return next === undefined ? [] : orders(n, [...done, next]);
  });
}

const alone = (threads: number, architecture?: string): Run => ({
  threads: [threads],
  order: ['load 0', 'run 0'],
  ...(architecture !== undefined && { architecture }),
});

/** What a classifier with so many threads has that is alone in its process. */
const expected = new Map<number, Found>();

beforeAll(() => {
  for (const threads of [1, 2, 3]) expected.set(threads, inProcess([alone(threads)])[0]?.[0]?.[0]!);
}, 60_000);

/** The runs whose classifiers are not each as one alone. */
function wrong(runs: readonly Run[], found: readonly (readonly Found[])[]): object[] {
  return runs.flatMap((run, i) =>
    run.threads.flatMap((threads, k) => {
      const [came, right] = [found[i]?.[k], expected.get(threads)!];
      return came?.bits === right.bits && (!hasProc || run.together === true || came?.team === right.team)
        ? []
        : [{ ...run, classifier: k, came, right }];
    }),
  );
}

test('the bits tell the number of threads, and so does the count of threads', () => {
  // Two of three may round alike, which depends on the processor.
  expect(new Set([...expected.values()].map(({ bits }) => bits)).size).toBeGreaterThan(1);
  if (hasProc) expect([...expected].map(([, { team }]) => team)).toEqual([1, 2, 3]);
});

test('two classifiers, every order, every pair of counts', () => {
  const runs = [
    [1, 2],
    [1, 3],
    [2, 3],
  ].flatMap((threads) => orders(2).map((order) => ({ threads, order })));
  expect(runs).toHaveLength(18);
  expect(wrong(runs, inProcess(runs)[0]!)).toEqual([]);
}, 120_000);

test('three classifiers, every order', () => {
  const runs = orders(3).map((order) => ({ threads: [1, 2, 3], order }));
  expect(runs).toHaveLength(90);
  expect(wrong(runs, inProcess(runs)[0]!)).toEqual([]);
}, 120_000);

test('at the same time, in the main thread and in worker threads', () => {
  const order = ['load 0', 'load 1', 'load 2'];
  const runs = [
    [1, 2, 3],
    [3, 2, 1],
    [2, 1, 3],
  ].map((threads) => ({ threads, order, together: true }));
  const found = inProcess(runs, [runs, runs]);
  expect(found).toHaveLength(3);
  for (const each of found) expect(wrong(runs, each)).toEqual([]);
}, 120_000);

test.each(['resnet18', 'densenet121'])(
  '%s',
  (architecture) => {
    const bits = [1, 2].map((threads) => inProcess([alone(threads, architecture)])[0]?.[0]?.[0]?.bits);
    expect(bits[0]).not.toBe(bits[1]);
    const runs = orders(2)
      .filter((order) => order[1] === 'load 1' || order[1] === 'load 0')
      .map((order) => ({ architecture, threads: [1, 2], order }));
    expect(runs).toHaveLength(4);
    for (const found of inProcess(runs)[0]!) expect(found.map((each) => each.bits)).toEqual(bits);
  },
  120_000,
);

test("threads: 0 is LibTorch's own choice, whoever came before in any thread", () => {
  const [[first]] = inProcess([alone(0)]) as [Found[][]];
  const [main, worker] = inProcess([alone(1), alone(3), alone(0)], [[alone(0)], [alone(1), alone(0)]]) as [
    Found[][],
    Found[][],
  ];
  expect(main[2]).toEqual(first);
  expect(worker[0]).toEqual(first);
  if (hasProc) expect(first?.[0]?.team).toBeLessThanOrEqual(cpus().length);
  // Who starts the process may have chosen otherwise.
  const [single, afterThree] = inProcess([alone(0)], [[alone(3), alone(0)]], {
    OMP_NUM_THREADS: '1',
    MKL_NUM_THREADS: '1',
  }) as [Found[][], Found[][]];
  expect(single[0]).toEqual([expected.get(1)]);
  expect(afterThree).toEqual([[expected.get(3)], [expected.get(1)]]);
}, 60_000);

(hasProc ? test : test.skip)(
  "a resizer has one thread, beside classifiers of any number, and changes nobody's",
  () => {
    const order = ['load 0', 'load 1', 'resize 0', 'resize 1', 'run 0', 'run 1'];
    const found = inProcess([{ threads: [3, 2], order }])[0]?.[0]!;
    expect(found).toEqual([expected.get(3), expected.get(2)]);
    const resized = inProcess([{ threads: [3, 2], order: order.slice(0, 4) }])[0]?.[0]!;
    expect(resized).toEqual([{ team: 1 }, { team: 1 }]);
  },
  60_000,
);
