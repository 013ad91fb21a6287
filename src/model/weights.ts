/** Fits the tensors of a weight file to those of a network, and says what did not fit. */
import { CovidCtError } from '../errors';
import type { NativeTensor, NativeTensorSource } from '../native/types';

/** What loading a weight file did. */
export interface LoadReport {
  /** Names that were overwritten. */
  readonly loaded: readonly string[];
  /** Names of the network that the file does not have. */
  readonly missing: readonly string[];
  /** Names of the file that the network does not have. */
  readonly unexpected: readonly string[];
  /** Names whose shapes differ. */
  readonly misshapen: readonly { readonly name: string; readonly expected: readonly number[]; readonly came: readonly number[] }[];
  /** Names of the classification head that was left as it was because its size differs. */
  readonly replacedHead: readonly string[];
}

/** Parameters of the last linear layer. */
function headOf(tensors: readonly NativeTensor[]): Set<string> {
  const last = tensors.filter((tensor) => tensor.kind === 'parameter').at(-1);
  const prefix = last?.name.slice(0, last.name.lastIndexOf('.') + 1) ?? '';
  return new Set(tensors.map((tensor) => tensor.name).filter((name) => name.startsWith(prefix)));
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((side, index) => side === b[index]);
}

/**
 * Plans what to read from a file.
 *
 * @param replaceHead whether a head of another size is left out instead of refused
 */
export function fitWeights(tensors: readonly NativeTensor[], sources: readonly NativeTensorSource[], replaceHead: boolean): { plan: NativeTensorSource[]; report: LoadReport } {
  const byName = new Map(sources.map((source) => [source.name, source]));
  const head = headOf(tensors);
  const plan: NativeTensorSource[] = [];
  const report = { loaded: [] as string[], missing: [] as string[], misshapen: [] as LoadReport['misshapen'][number][], replacedHead: [] as string[] };
  for (const { name, shape } of tensors) {
    const source = byName.get(name);
    if (source === undefined) report.missing.push(name);
    else if (sameShape(shape, source.shape)) plan.push(source);
    else if (replaceHead && head.has(name)) report.replacedHead.push(name);
    else report.misshapen.push({ name, expected: shape, came: source.shape });
  }
  report.loaded.push(...plan.map((source) => source.name));
  const own = new Set(tensors.map((tensor) => tensor.name));
  return { plan, report: { ...report, unexpected: [...byName.keys()].filter((name) => !own.has(name)) } };
}

function some(names: readonly string[]): string {
  return names.length <= 4 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}

/** Throws CovidCtError ERR_WEIGHTS when anything but a count of batches is missing, unexpected or of another shape. */
export function requireFit(path: string, architecture: string, report: LoadReport): void {
  const faults: string[] = [];
  // Checkpoints older than PyTorch 0.4.1, torchvision's VGGs among them, do not count batches; the count is of no effect.
  const missing = report.missing.filter((name) => !name.endsWith('.num_batches_tracked'));
  if (missing.length > 0) faults.push(`it lacks ${some(missing)}`);
  if (report.unexpected.length > 0) faults.push(`it has ${some(report.unexpected)}, which the network has not`);
  if (report.misshapen.length > 0) {
    faults.push(`other shapes: ${some(report.misshapen.map(({ name, expected, came }) => `${name} (expected [${expected.join(', ')}], got [${came.join(', ')}])`))}`);
  }
  if (faults.length === 0) return;
  throw new CovidCtError('ERR_WEIGHTS', `${path} does not fit ${architecture}: ${faults.join('; ')}. Check the architecture and the number of classes`);
}
