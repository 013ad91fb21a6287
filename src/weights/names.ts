/** Matches the names in a file to those of a network by removing the prefixes that wrappers add. */
import { CovidCtError } from '../errors';

/** Segments that wrappers add to names: DataParallel, torch.compile, FSDP, activation checkpointing, DeepSpeed. */
const WRAPPERS = new Set([
  'module',
  '_orig_mod',
  '_fsdp_wrapped_module',
  '_checkpoint_wrapped_module',
  '_forward_module',
]);
/** Buffers that torch.optim.swa_utils.AveragedModel has beside the wrapped network. */
const COUNTS = new Set(['n_averaged']);

/** Updates the names of torchvision's old DenseNet checkpoints: `norm.1` and `conv.2` are now `norm1` and `conv2`. */
export function renamed(name: string): string {
  return name.replace(/(\.denselayer\d+\.(?:norm|conv))\.(\d)\./, '$1$2.');
}

/** Lists names for a message: up to six, or the first five and a count. */
export function some(names: readonly string[]): string {
  return names.length <= 6 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

/**
 * Strips a wrapper's prefix that every name has, and drops the buffers of the wrapper itself.
 *
 * @param notes receives what was changed
 */
export function stripWrappers<T extends { readonly name: string }>(sources: readonly T[], notes: string[]): T[] {
  const counts = sources.filter(({ name }) => COUNTS.has(name));
  const rest = sources.filter(({ name }) => !COUNTS.has(name));
  const wrapper = rest[0]?.name.split('.', 1)[0] ?? '';
  const prefix = `${wrapper}.`;
  if (!WRAPPERS.has(wrapper) || !rest.every(({ name }) => name.startsWith(prefix) && name !== prefix))
    return [...sources];
  notes.push(`the prefix '${prefix}' was taken off ${rest.length} names`);
  for (const { name } of counts) notes.push(`left out: '${name}' (a count of averaged weights)`);
  return stripWrappers(
    rest.map((source) => ({ ...source, name: source.name.slice(prefix.length) })),
    notes,
  );
}

/** Removes wrappers from the middle of names (`features.module.0.weight`), unless two names would become equal. */
function unwrapped<T extends { readonly name: string }>(sources: readonly T[], notes: string[]): T[] {
  const short = sources.map((source) => ({ ...source, name: withoutWrappers(source.name) }));
  const changed = short.filter(({ name }, i) => name !== sources[i]?.name).length;
  if (changed === 0 || new Set(short.map(({ name }) => name)).size < short.length) return [...sources];
  notes.push(`wrappers ('module.' and the like) were taken out of ${changed} names`);
  return short;
}

/** Returns the name without the segments that wrappers add. */
export function withoutWrappers(name: string): string {
  return name
    .split('.')
    .filter((segment) => !WRAPPERS.has(segment))
    .join('.');
}

/** Counts the network's names under each prefix, which is '' or ends in a dot. */
function countByPrefix(network: ReadonlySet<string>, file: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of file) {
    for (let at = 0; at >= 0; at = name.indexOf('.', at) + 1 || -1) {
      if (network.has(name.slice(at))) counts.set(name.slice(0, at), (counts.get(name.slice(0, at)) ?? 0) + 1);
    }
  }
  return counts;
}

/** The names of a network, and which of them may be missing from a file. */
interface Wanted {
  readonly network: ReadonlySet<string>;
  readonly optional: (name: string) => boolean;
}

/** Returns the prefix under which the whole network is found, or null. Throws when there are several. */
function wholePrefix(path: string, { network, optional }: Wanted, file: readonly string[]): string | null {
  const all = new Set(file);
  const needed = [...network].filter((name) => !optional(name));
  const prefixes = [...countByPrefix(network, file).keys()];
  const whole = prefixes.filter((prefix) => needed.every((name) => all.has(prefix + name)));
  if (whole.length <= 1) return whole[0] ?? null;
  const names = whole.map((prefix) => (prefix === '' ? 'no prefix' : `'${prefix}'`)).join(', ');
  throw new CovidCtError(
    'ERR_WEIGHTS',
    `${path}: expected the network once; it is there several times, under ${names}; name the one you mean ` +
      'by the option prefix (covidct weights convert FILE --prefix PREFIX --out NEW.safetensors)',
  );
}

/** Returns the prefix of most of the network, to report what is missing; '' when only a few names match by chance. */
function likelyPrefix({ network, optional }: Wanted, file: readonly string[]): string {
  const counts = countByPrefix(network, file);
  const [best, count] = [...counts].reduce(
    (most, each) => (each[1] > most[1] ? each : most),
    ['', counts.get('') ?? 0],
  );
  return count * 2 > [...network].filter((name) => !optional(name)).length ? best : '';
}

function namesOf(sources: readonly { readonly name: string }[]): string[] {
  return sources.map(({ name }) => name);
}

/**
 * Renames the tensors of a file to the network's names: strips wrappers and any common prefix of the network's names.
 * Tensors without that prefix are left out.
 *
 * @param wanted the network's names, which of them may be missing (the head, `num_batches_tracked`), and the prefix,
 *   which is detected by default
 * @throws CovidCtError ERR_WEIGHTS when the network is found more than once, or no name begins with `prefix`
 */
export function nameAs<T extends { readonly name: string }>(
  path: string,
  sources: readonly T[],
  wanted: Wanted & { readonly prefix?: string | undefined },
): { sources: T[]; notes: string[] } {
  const notes: string[] = [];
  const old = sources.filter(({ name }) => renamed(name) !== name).length;
  if (old > 0) notes.push(`${old} names of older DenseNet checkpoints were brought up to date`);
  const current = sources.map((source) => ({ ...source, name: renamed(source.name) }));
  const asked = wanted.prefix ?? wholePrefix(path, wanted, namesOf(current));
  if (asked !== null) return { sources: asked === '' ? current : under(path, asked, current, notes), notes };
  const short = unwrapped(current, notes);
  const prefix = wholePrefix(path, wanted, namesOf(short)) ?? likelyPrefix(wanted, namesOf(short));
  return { sources: prefix === '' ? short : under(path, prefix, short, notes), notes };
}

/** Returns the tensors with a prefix and strips it. Throws CovidCtError ERR_WEIGHTS when there are none. */
export function under<T extends { readonly name: string }>(
  path: string,
  prefix: string,
  sources: readonly T[],
  notes: string[],
): T[] {
  const dotted = prefix === '' || prefix.endsWith('.') ? prefix : `${prefix}.`;
  const inside = sources.filter(({ name }) => name.startsWith(dotted) && name !== dotted);
  const outside = sources.filter(({ name }) => !name.startsWith(dotted)).map(({ name }) => name);
  if (inside.length === 0) {
    throw new CovidCtError(
      'ERR_WEIGHTS',
      `${path}: expected names that begin with '${dotted}'; it has ${some(outside)}`,
    );
  }
  if (dotted !== '') notes.push(`the prefix '${dotted}' was taken off ${inside.length} names`);
  if (outside.length > 0) notes.push(`left out, since not under '${dotted}': ${some(outside)}`);
  return inside.map((source) => ({ ...source, name: source.name.slice(dotted.length) }));
}
