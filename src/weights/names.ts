/** Finds a network's names among those of a file, whatever wrappers have put before or between them. */
import { CovidCtError } from '../errors';

/** Segments that wrappers put into names: DataParallel, torch.compile, FSDP, activation checkpoints, DeepSpeed. */
const WRAPPERS = new Set([
  'module',
  '_orig_mod',
  '_fsdp_wrapped_module',
  '_checkpoint_wrapped_module',
  '_forward_module',
]);
/** What AveragedModel keeps beside the wrapped network. */
const COUNTS = new Set(['n_averaged']);

/** torchvision's DenseNet checkpoints are older than its names: `norm.1` and `conv.2` are now `norm1` and `conv2`. */
export function renamed(name: string): string {
  return name.replace(/(\.denselayer\d+\.(?:norm|conv))\.(\d)\./, '$1$2.');
}

/** Names in words: all of a few, the first of many. */
export function some(names: readonly string[]): string {
  return names.length <= 6 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

/**
 * Takes off the wrappers that stand before every name; counts that belong to a wrapper go with it.
 *
 * @param notes receives what was done
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

/** Takes wrappers out of the middle of names (`features.module.0.weight`), unless two names would become one. */
function unwrapped<T extends { readonly name: string }>(sources: readonly T[], notes: string[]): T[] {
  const short = sources.map((source) => ({ ...source, name: withoutWrappers(source.name) }));
  const changed = short.filter(({ name }, i) => name !== sources[i]?.name).length;
  if (changed === 0 || new Set(short.map(({ name }) => name)).size < short.length) return [...sources];
  notes.push(`wrappers ('module.' and the like) were taken out of ${changed} names`);
  return short;
}

/** The name without the segments of wrappers. */
export function withoutWrappers(name: string): string {
  return name
    .split('.')
    .filter((segment) => !WRAPPERS.has(segment))
    .join('.');
}

/** How many names of the network stand under each prefix ('' or one that ends in a dot). */
function countByPrefix(network: ReadonlySet<string>, file: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of file) {
    for (let at = 0; at >= 0; at = name.indexOf('.', at) + 1 || -1) {
      if (network.has(name.slice(at))) counts.set(name.slice(0, at), (counts.get(name.slice(0, at)) ?? 0) + 1);
    }
  }
  return counts;
}

/** Which names a network has, and which of them a file may lack. */
interface Wanted {
  readonly network: ReadonlySet<string>;
  readonly optional: (name: string) => boolean;
}

/** The prefix under which the whole network stands; null where it does not. Throws where there are several. */
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

/** The prefix of most of the network, so that what is missing can be told; '' where a few names match by chance. */
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
 * Gives the tensors of a file the names of the network: wrappers, and any prefix that all of the network's names have
 * in common, are taken off. What stands outside of the prefix is left aside.
 *
 * @param wanted the network's names, which of them may be absent (the head's, counts of batches), and the prefix under
 *   which to look, which is found when left out
 * @throws CovidCtError ERR_WEIGHTS where the network is there more than once, or nothing stands under `prefix`
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

/** The tensors below a prefix, without it. Throws CovidCtError ERR_WEIGHTS where there are none. */
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
