/** Fits the tensors of a weight file to those of a network, and says what did not fit. */
import { CovidCtError } from '../errors';
import type { NativeTensor, NativeTensorSource } from '../addon/types';
import { detectArchitecture } from './detect-architecture';
import { nameAs, some } from './names';

/** A tensor whose shape in the file is not the network's. */
export interface ShapeDifference {
  readonly name: string;
  readonly expected: readonly number[];
  readonly actual: readonly number[];
}

/** What loading a weight file did. */
export interface LoadReport {
  /** Names that were overwritten. */
  readonly loaded: readonly string[];
  /** Names of the network that the file does not have; they stay as they were. */
  readonly missing: readonly string[];
  /** Names of the file that the network does not have; they were not used. */
  readonly unexpected: readonly string[];
  /** Names whose shapes differ. */
  readonly shapeMismatch: readonly ShapeDifference[];
  /** The classification head, left as it was because its size differs. */
  readonly replacedHead: readonly ShapeDifference[];
  /** First convolutions whose RGB filters were summed for gray input. */
  readonly summedInput: readonly string[];
  /** What was done to find and name the tensors, in words. */
  readonly notes: readonly string[];
}

/** What may differ between a file and a network. */
export interface MatchOptions {
  /** Keep the head as it is when the file's has another size. */
  readonly replaceHead?: boolean;
  /** Names (or prefixes that end in a dot) that the file need not have; true for any. */
  readonly allowMissing?: boolean | readonly string[];
  /** Names (or prefixes that end in a dot) of the file that may go unused; true for any. */
  readonly allowUnexpected?: boolean | readonly string[];
  /** Prefix of the file's names under which the network stands, e.g. `encoder_q.`; found by itself when left out. */
  readonly prefix?: string | undefined;
}

/** Parameters of the last linear layer. */
export function headOf(tensors: readonly NativeTensor[]): Set<string> {
  const last = tensors.filter((tensor) => tensor.kind === 'parameter').at(-1);
  const prefix = last?.name.slice(0, last.name.lastIndexOf('.') + 1) ?? '';
  return new Set(tensors.map((tensor) => tensor.name).filter((name) => name.startsWith(prefix)));
}

/** Checkpoints older than PyTorch 0.4.1, torchvision's VGGs among them, do not count batches; it is of no effect. */
function isCount(name: string): boolean {
  return name.endsWith('.num_batches_tracked');
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((side, index) => side === b[index]);
}

/** Whether a file's RGB filters can be summed to the network's for one gray channel. */
function sums(shape: readonly number[], actual: readonly number[]): boolean {
  return (
    shape.length === 4 &&
    shape[1] === 1 &&
    actual[1] === 3 &&
    sameShape([shape[0], 3, shape[2], shape[3]] as number[], actual)
  );
}

/**
 * Plans what to read from a file.
 *
 * @throws CovidCtError ERR_WEIGHTS where the file has the network more than once
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
  // A head is one thing: where its weight is of another size, a bias that happens to fit is not its own.
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

/** What to do where a file has all of the network but its head, or that by other names; null where more is amiss. */
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
    'The head alone is not there by these names: rename it in the file, or let it ' +
    `begin at random by allowMissing and allowUnexpected (covidct import ${flags})`
  );
}

/**
 * Throws CovidCtError ERR_WEIGHTS when anything but a count of batches is missing, unexpected or of another shape, and
 * is not allowed to be.
 *
 * @param sources the file's tensors, to guess which architecture they are of
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
  if (unexpected.length > 0) faults.push(`it has ${some(unexpected)}, which the network has not`);
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
    `${path} does not fit ${architecture}: ${faults.join('; ')}. ${advice}; the network is as it was`,
  );
}
