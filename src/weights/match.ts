/** Matches the tensors of a weight file to those of a network, and reports mismatches. */
import { CovidCtError } from '../errors';
import type { NativeTensor, NativeTensorSource } from '../addon/types';
import { detectArchitecture } from './detect-architecture';
import { nameAs, some } from './names';

/** A tensor whose shape in the file differs from the network's. */
export interface ShapeDifference {
  readonly name: string;
  readonly expected: readonly number[];
  readonly actual: readonly number[];
}

/** The result of loading a weight file. */
export interface LoadReport {
  /** Names of the network's tensors that were loaded. */
  readonly loaded: readonly string[];
  /** Names of the network that are missing from the file; these tensors are unchanged. */
  readonly missing: readonly string[];
  /** Names of the file that the network does not have; these tensors were ignored. */
  readonly unexpected: readonly string[];
  /** Names whose shapes differ. */
  readonly shapeMismatch: readonly ShapeDifference[];
  /** Parameters of the classification head, unchanged because the file's head has another size. */
  readonly replacedHead: readonly ShapeDifference[];
  /** First convolutions whose RGB filters were summed for gray input. */
  readonly summedInput: readonly string[];
  /** How the tensors were found and renamed, in words. */
  readonly notes: readonly string[];
}

/** What may differ between a file and a network. */
export interface MatchOptions {
  /** Keep the network's head when the file's has another size. */
  readonly replaceHead?: boolean;
  /** Names (or prefixes ending in a dot) that may be missing from the file; true for any. */
  readonly allowMissing?: boolean | readonly string[];
  /** Names (or prefixes ending in a dot) of the file that may be ignored; true for any. */
  readonly allowUnexpected?: boolean | readonly string[];
  /** Prefix of the network's names in the file, e.g. `encoder_q.`; detected by default. */
  readonly prefix?: string | undefined;
}

/** Returns the names of the last linear layer's parameters. */
export function headOf(tensors: readonly NativeTensor[]): Set<string> {
  const last = tensors.filter((tensor) => tensor.kind === 'parameter').at(-1);
  const prefix = last?.name.slice(0, last.name.lastIndexOf('.') + 1) ?? '';
  return new Set(tensors.map((tensor) => tensor.name).filter((name) => name.startsWith(prefix)));
}

/** Whether a tensor is `num_batches_tracked`, which is unused here and which checkpoints before PyTorch 0.4.1 lack. */
function isCount(name: string): boolean {
  return name.endsWith('.num_batches_tracked');
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((side, index) => side === b[index]);
}

/** Whether the file's RGB filters can be summed to filters for the network's single gray channel. */
function sums(shape: readonly number[], actual: readonly number[]): boolean {
  return (
    shape.length === 4 &&
    shape[1] === 1 &&
    actual[1] === 3 &&
    sameShape([shape[0], 3, shape[2], shape[3]] as number[], actual)
  );
}

/**
 * Plans which tensors to read from a file.
 *
 * @throws CovidCtError ERR_WEIGHTS when the file contains the network more than once
 */
export function matchWeights<T extends NativeTensorSource>(
  path: string,
  tensors: readonly NativeTensor[],
  sources: readonly T[],
  options: MatchOptions = {},
): { plan: T[]; report: LoadReport } {
  const head = headOf(tensors);
  const own = new Set(tensors.map((tensor) => tensor.name));
  const optional = (name: string): boolean => head.has(name) || isCount(name);
  const { sources: named, notes } = nameAs(path, sources, { network: own, optional, prefix: options.prefix });
  const byName = new Map(named.map((source) => [source.name, source]));
  const first = tensors.find(({ shape }) => shape.length === 4)?.name;
  const plan: T[] = [];
  const missing: string[] = [],
    summedInput: string[] = [];
  const shapeMismatch: ShapeDifference[] = [],
    replacedHead: ShapeDifference[] = [];
  for (const { name, shape } of tensors) {
    const source = byName.get(name);
    const difference = { name, expected: shape, actual: source?.shape ?? [] };
    if (source === undefined) missing.push(name);
    else if (sameShape(shape, source.shape)) plan.push(source);
    else if (name === first && sums(shape, source.shape)) {
      plan.push({ ...source, sumInput: true });
      summedInput.push(name);
    } else if (options.replaceHead === true && head.has(name)) replacedHead.push(difference);
    else shapeMismatch.push(difference);
  }
  // When the head's weight has another shape, its bias belongs to another head even if its shape happens to match.
  const whole = replacedHead.length > 0 ? plan.filter((source) => !head.has(source.name)) : plan;
  for (const source of plan)
    if (!whole.includes(source)) replacedHead.push({ name: source.name, expected: source.shape, actual: source.shape });
  const unexpected = [...byName.keys()].filter((name) => !own.has(name));
  return {
    plan: whole,
    report: {
      loaded: whole.map(({ name }) => name),
      missing,
      unexpected,
      shapeMismatch,
      replacedHead,
      summedInput,
      notes,
    },
  };
}

function unexplained(names: readonly string[], allowed: MatchOptions['allowMissing']): string[] {
  if (allowed === true) return [];
  const list = Array.isArray(allowed) ? (allowed as readonly string[]) : [];
  return names.filter((name) => !list.some((each) => each === name || (each.endsWith('.') && name.startsWith(each))));
}

/** Returns advice when only the head is missing or has other names; null when there are other mismatches. */
function headAdvice(
  missing: readonly string[],
  unexpected: readonly string[],
  { loaded, shapeMismatch }: LoadReport,
): string | null {
  const isHead =
    missing.length === 2 && missing.every((name) => /^(?:fc|classifier(?:\.6)?)\.(?:weight|bias)$/.test(name));
  if (!isHead || unexpected.length > 4 || shapeMismatch.length > 0 || loaded.length === 0) return null;
  const unexpectedFlag = unexpected.length === 0 ? '' : ` --allow-unexpected ${unexpected.join()}`;
  const flags = `--allow-missing ${missing.join()}${unexpectedFlag}`;
  return (
    'Only the head is missing by these names: rename it in the file, or keep a randomly ' +
    `initialized one by allowMissing and allowUnexpected (covidct import ${flags})`
  );
}

/**
 * Throws CovidCtError ERR_WEIGHTS when a tensor is missing, unexpected or of another shape and the options do not allow
 * it. A missing `num_batches_tracked` is ignored.
 *
 * @param sources the file's tensors, to detect their architecture for the message
 */
export function assertMatch(
  path: string,
  architecture: string,
  report: LoadReport,
  sources: readonly NativeTensorSource[],
  options: MatchOptions = {},
): void {
  const faults: string[] = [];
  const missing = unexplained(
    report.missing.filter((name) => !isCount(name)),
    options.allowMissing,
  );
  const unexpected = unexplained(report.unexpected, options.allowUnexpected);
  if (missing.length > 0) faults.push(`it lacks ${some(missing)}`);
  if (unexpected.length > 0) faults.push(`it has ${some(unexpected)}, which the network does not have`);
  if (report.shapeMismatch.length > 0) {
    const shapes = report.shapeMismatch.map(
      ({ name, expected, actual }) => `${name} (expected [${expected.join(', ')}], got [${actual.join(', ')}])`,
    );
    faults.push(`other shapes: ${some(shapes)}`);
  }
  if (report.loaded.length === 0 && faults.length === 0) faults.push('none of its tensors is one of the network');
  if (faults.length === 0) return;
  const guess = detectArchitecture(sources);
  const advice =
    guess !== null && guess !== architecture
      ? `These look like weights of ${guess}`
      : (headAdvice(missing, unexpected, report) ?? 'Check the architecture and the number of classes');
  throw new CovidCtError(
    'ERR_WEIGHTS',
    `${path} does not fit ${architecture}: ${faults.join('; ')}. ${advice}; the network is unchanged`,
  );
}
