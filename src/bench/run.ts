/** The benchmark: ours and the peers in turn, each measurement in a process of its own. */
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidOptionError } from '../errors';
import { architectures } from '../model/sizes';
import { libraryVersions } from '../model/versions';
import { benchOptionsSchema } from './options';
import type { BenchOptions, CheckedBenchOptions } from './options';
import { checkOptions } from '../options/check';
import { ArchitectureBench } from './architecture-bench';
import { findPeers, pytorchScript } from './peers';
import type { Peers } from './peers';
import { runTask } from './process';
import type { BenchRow, CeilingsRow, ResultRow, SettingRow } from './types';
import { judgeTargets } from './targets';

/**
 * Measures training steps, predictions, cold start and peak memory of ours and of what else runs the same network: on
 * the CPU, in float32, with the same weights, images and threads. Takes minutes, and as many gigabytes of the temporary
 * folder as three copies of the weights; both are free again when it ends, also by `signal` or by leaving the loop.
 *
 * @returns the setting, who was found, the ceilings of the machine, a row for every measurement as soon as it is there,
 *   and at last the targets; in between, what is being measured
 * @throws InvalidOptionError; AbortedError, with no process left behind; LibTorchNotFoundError and ERR_ADDON_*
 * @example
 * ```ts
 * import { runBenchmark } from 'covidct-torch/bench';
 *
 * for await (const row of runBenchmark({ architectures: ['resnet18'], batchSizes: [8], rounds: 3 })) {
 *   if (row.type === 'result') console.log(row.mode, row.batchSize, row.toBestPeer?.median);
 * }
 * ```
 */
export async function* runBenchmark(options: BenchOptions = {}): AsyncGenerator<BenchRow, void, undefined> {
  const checked = checkOptions(benchOptionsSchema, options, 'runBenchmark');
  const known = architectures();
  const unknown = checked.architectures.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new InvalidOptionError(`runBenchmark: expected an architecture of ${known.join(', ')}; got '${unknown}'`, [
      { path: 'architectures', message: 'unknown architecture' },
    ]);
  const threads = checked.threads === 0 ? availableParallelism() : checked.threads;
  const dir = await mkdtemp(join(tmpdir(), 'covidct-bench-'));
  try {
    yield { type: 'measuring', text: 'looking for peers' };
    const peers = await findPeers(checked);
    yield settingOf(checked, threads, peers);
    yield* peers.rows;
    yield { type: 'measuring', text: 'ceilings of the machine' };
    const ceilings = await measureCeilings(checked, threads, peers);
    yield ceilings;
    const results: ResultRow[] = [];
    for (const architecture of checked.architectures) {
      const bench = new ArchitectureBench({ architecture, options: checked, threads, peers, ceilings, dir });
      for await (const row of bench.measure()) {
        yield row;
        if (row.type === 'result') results.push(row);
      }
    }
    yield* judgeTargets(results, checked.what);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function settingOf({ imageSize, rounds }: CheckedBenchOptions, threads: number, peers: Peers): SettingRow {
  const {
    cpuCapability = 'unknown',
    node,
    libtorch,
    'covidct-torch': own,
  } = libraryVersions() as Record<string, string>;
  return {
    type: 'setting',
    threads,
    imageSize,
    rounds,
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      instructionSet: cpuCapability,
      memoryBytes: totalmem(),
      platform: `${process.platform}-${process.arch}`,
    },
    versions: { 'covidct-torch': own!, node: node!, libtorch: libtorch!, ...peers.versions },
  };
}

async function measureCeilings(
  { python, timeoutMs, signal }: CheckedBenchOptions,
  threads: number,
  { pytorch, pytorchProblem }: Peers,
): Promise<CeilingsRow> {
  const none = { type: 'ceilings', matrixProducts: null, copyGigabytesPerSecond: null } as const;
  if (!pytorch) return { ...none, problem: pytorchProblem };
  const outcome = await runTask<Pick<CeilingsRow, 'matrixProducts' | 'copyGigabytesPerSecond'>>(
    python,
    [pytorchScript()],
    { mode: 'ceilings', threads },
    { timeoutMs, signal },
  );
  return 'problem' in outcome
    ? { ...none, problem: outcome.problem }
    : { type: 'ceilings', ...outcome.result, problem: null };
}
