/** Which contenders there are on this machine, and why the others are missing. */
import { packageFile } from '../addon/package-root';
import type { CheckedBenchOptions } from './options';
import { selectBackends } from './backends';
import type { Backend } from './backends';
import { findOnnxRuntime } from './onnxruntime';
import { runTask } from './process';
import type { PeerRow } from './types';

/** PyTorch's part of the benchmark. */
export function pytorchScript(): string {
  return packageFile('scripts/bench_pytorch.py');
}

interface Probe {
  readonly versions: Readonly<Record<string, string>>;
  readonly cpuCapability: string;
  /** Why torch.compile would not run; null where it may. */
  readonly noCompile: string | null;
}

/** What was found. */
export interface Peers {
  readonly contenders: readonly Backend[];
  readonly rows: readonly PeerRow[];
  readonly versions: Readonly<Record<string, string>>;
  /** Whether there is a PyTorch to count and to measure the machine with. */
  readonly pytorch: boolean;
  /** Why not; null where there is. */
  readonly pytorchProblem: string | null;
  /** Main file of onnxruntime-node; empty where there is none. */
  readonly onnxruntime: string;
}

function remedy(python: string, problem: string): string {
  return (
    `${problem.startsWith(python) ? problem : `${python}: ${problem}`}; give --python ` +
    `a Python that has them: \`PYTHON -m pip install torch torchvision safetensors\``
  );
}

/**
 * Looks for everybody who was asked for.
 *
 * @throws AbortedError
 */
export async function findPeers({
  python,
  onnxruntime,
  peers,
  timeoutMs,
  signal,
}: CheckedBenchOptions): Promise<Peers> {
  const wanted = selectBackends(peers);
  const probe = await runTask<Probe>(python, [pytorchScript()], { mode: 'probe' }, { timeoutMs, signal });
  const noPython = 'problem' in probe ? remedy(python, probe.problem) : null;
  const noCompile = 'problem' in probe ? null : probe.result.noCompile;
  const node = wanted.some(({ runtime }) => runtime === 'onnxruntime')
    ? findOnnxRuntime(onnxruntime)
    : { problem: 'not asked for' };
  const problemOf = ({ name, runtime }: Backend): string | null => {
    if (runtime === 'ours') return null;
    if (noPython !== null)
      return runtime === 'python' ? noPython : 'its network is exported by PyTorch, which is missing';
    if (name === 'torch-compile') return noCompile;
    return runtime === 'onnxruntime' && 'problem' in node ? node.problem : null;
  };
  const rows = wanted.map((each): PeerRow => ({
    type: 'contender',
    contender: each.name,
    title: each.title,
    found: problemOf(each) === null,
    problem: problemOf(each),
  }));
  return {
    contenders: wanted.filter((each) => problemOf(each) === null),
    rows,
    versions: {
      ...('problem' in probe ? {} : probe.result.versions),
      ...('problem' in node ? {} : { 'onnxruntime-node': node.version }),
    },
    pytorch: noPython === null,
    pytorchProblem: noPython,
    onnxruntime: 'problem' in node ? '' : node.file,
  };
}
