/** Finds the state dict in a checkpoint, and reports what else the checkpoint contains. */
import { CovidCtError } from '../errors';
import { Global, Inert, Tuple } from './pickle-values';
import type { TensorRef } from './pickle-values';

/** Keys under which training scripts usually save the state dict. */
const USUAL = [
  'state_dict',
  'model_state_dict',
  'model',
  'net',
  'network',
  'weights',
  'params',
  'model_state',
  'model_weights',
  'net_state_dict',
  'state',
  'module',
];
/** Keys of averaged weights (EMA, SWA), which are used only when there are no others. */
const AVERAGED = /(^|_)(ema|swa|avg|average|averaged|shadow|teacher)(_|$)/i;
/** Keys of other parts of a checkpoint that may contain tensors. */
const NOT_WEIGHTS =
  /optim|sched|scaler|rng|random|callback|loop|hyper|hparam|meter|metric|histor|criterion|loss|config|args/i;
const MAX_DEPTH = 4;
/** Maximum number of characters of a key, and of keys per level, in a message. */
const MAX_KEY = 120;
const MAX_TOLD = 50;

/** A dictionary that contains tensors. */
interface Candidate {
  /** Path of keys to it; empty for the root. */
  readonly keys: readonly string[];
  readonly tensors: Map<unknown, unknown>;
  readonly count: number;
}

/** Whether a value is a tensor whose data is in the file. */
export function isTensor(value: unknown): value is TensorRef {
  return (value as TensorRef | null)?.kind === 'tensor';
}

/** Describes the type of a value. It never prints the content, because a list can contain itself. */
export function wordFor(value: unknown): string {
  if (value === null) return 'nothing';
  if (isTensor(value))
    return value.shape.length === 0 ? 'a tensor of one number' : `a tensor [${value.shape.slice(0, 8).join(', ')}]`;
  if (value instanceof Inert) return value.what;
  if (value instanceof Global) return value.name;
  if (value instanceof Map) return `a dictionary of ${value.size}`;
  if (value instanceof Tuple || Array.isArray(value)) return 'a list';
  return (
    { number: 'a number', bigint: 'a number', string: 'a text', boolean: 'true or false' }[typeof value as 'number'] ??
    'something else'
  );
}

/** Formats a key for a message. */
function keyText(key: unknown): string {
  return typeof key === 'string' || typeof key === 'number' ? `'${String(key).slice(0, MAX_KEY)}'` : wordFor(key);
}

/** Collects every dictionary with tensors once, except those whose key says that they are not weights. */
function candidatesIn(value: unknown, keys: readonly string[] = [], seen = new Set<unknown>()): Candidate[] {
  if (!(value instanceof Map) || keys.length > MAX_DEPTH || seen.has(value)) return [];
  seen.add(value);
  const entries = [...(value as Map<unknown, unknown>)];
  const count = entries.filter(([, each]) => isTensor(each) || (each instanceof Inert && each.isTensor)).length;
  const own: Candidate[] = count > 0 ? [{ keys, tensors: value as Map<unknown, unknown>, count }] : [];
  const inside = entries.flatMap(([key, each]) => {
    return typeof key === 'string' && !NOT_WEIGHTS.test(key) ? candidatesIn(each, [...keys, key], seen) : [];
  });
  return [...own, ...inside];
}

function nameOf({ keys }: Candidate): string {
  return keys.join('.');
}

/** Ranks a candidate, the best first: 0 is a usual key, 1 any other, 2 averaged weights. */
function rankOf({ keys }: Candidate): number {
  if (keys.some((key) => AVERAGED.test(key))) return 2;
  return USUAL.includes(keys.at(-1) ?? '') ? 0 : 1;
}

/**
 * Chooses the state dict. A few tensors at the root (an epoch, the state of a generator) beside a nested state dict do
 * not make the root one.
 */
function choose(path: string, candidates: readonly Candidate[]): Candidate | undefined {
  const nested = candidates.filter(({ keys }) => keys.length > 0);
  const whole = candidates.find(({ keys }) => keys.length === 0);
  const largest = Math.max(0, ...nested.map(({ count }) => count));
  if (whole !== undefined && whole.count > largest) return whole;
  const best = Math.min(...nested.map(rankOf));
  const found = nested.filter((each) => rankOf(each) === best);
  // Among unusual keys, a dictionary with few tensors beside one with many is not a state dict.
  const likely = best === 0 ? found : found.filter(({ count }) => count * 4 > largest);
  if (likely.length <= 1) return likely[0] ?? found[0] ?? whole;
  const names = likely.map((each) => `'${nameOf(each)}'`).join(' and ');
  throw new CovidCtError(
    'ERR_WEIGHTS',
    `${path}: expected one set of weights; there are several, under ${names}; name the one you mean ` +
      'by the option entry (covidct weights convert FILE --entry NAME --out NEW.safetensors), or save it by itself',
  );
}

/** Notes what each level contains beside the chosen dictionary. */
function noteOthers(value: unknown, { keys }: Candidate, candidates: readonly Candidate[], notes: string[]): void {
  let level = value as Map<unknown, unknown>;
  for (const [depth, key] of keys.entries()) {
    const others = [...level].filter(([other]) => other !== key);
    if (others.length > MAX_TOLD) notes.push(`left out: ${others.length - MAX_TOLD} more keys`);
    for (const [other, left] of others.slice(0, MAX_TOLD)) {
      const whole = [...keys.slice(0, depth), String(typeof other === 'string' ? other : '')].join('.');
      const isOne = candidates.some((each) => nameOf(each) === whole && each.count > 2 && typeof other === 'string');
      notes.push(
        `left out: ${keyText(other)} (${wordFor(left)}${isOne ? `; the option entry '${whole}' takes them` : ''})`,
      );
    }
    level = level.get(key) as Map<unknown, unknown>;
  }
}

/**
 * Returns the state dict: the root, or a dictionary below it.
 *
 * @param notes receives where it was found and what was left out
 * @param entry path of keys to it, joined by dots; detected by default
 * @throws CovidCtError ERR_WEIGHTS when there is none, or when the choice is ambiguous
 */
export function findWeights(path: string, value: unknown, notes: string[], entry?: string): Map<unknown, unknown> {
  const candidates = candidatesIn(value);
  const chosen = entry === undefined ? choose(path, candidates) : candidates.find((each) => nameOf(each) === entry);
  if (chosen === undefined) {
    const what =
      value instanceof Map
        ? `a dictionary with ${[...value.keys()].slice(0, 5).map(keyText).join(', ') || 'nothing in it'}`
        : wordFor(value);
    const others = candidates
      .slice(0, 8)
      .map((each) => `'${nameOf(each)}'`)
      .join(', ');
    throw new CovidCtError(
      'ERR_WEIGHTS',
      entry === undefined
        ? `${path}: expected a state dict, by itself or under ${USUAL.slice(0, 3).join(', ')}; it holds ${what}`
        : `${path}: expected weights under '${entry}'; ` +
            (others === '' ? `it holds ${what}` : `there are some under ${others}`),
    );
  }
  if (chosen.keys.length > 0) notes.push(`the weights stand under '${nameOf(chosen)}'`);
  noteOthers(value, chosen, candidates, notes);
  return chosen.tensors;
}
