/** What the pickles of checkpoints are made of, and what their calls become: plain data, never anything that runs. */
import { CovidCtError } from '../errors';
import { globalName, isKnownGlobal, recipeOf, STORAGE_BYTES, storageType } from './pickle-globals';

/** A storage as a pickle names it: where its bytes are is the container's business. */
export interface StorageRef {
  readonly kind: 'storage';
  /** `FloatStorage`, ... */
  readonly type: string;
  readonly key: string;
  /** Elements of the whole storage, as the pickle claims. */
  readonly count: number;
  /** Where a view of the storage begins, and how many elements it has; the oldest files have such. */
  readonly view: { readonly start: number; readonly count: number } | null;
}

/** A view of a storage. */
export interface TensorRef {
  readonly kind: 'tensor';
  readonly storage: StorageRef;
  /** In elements. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** `torch.uint16`, ... where it is not the storage's own. */
  readonly dtype: string | null;
}

/** Something that a checkpoint keeps and this library has no use for, known by what it is, e.g. `a set`. */
export class Inert {
  constructor(
    readonly what: string,
    readonly isTensor = false,
  ) {}
}

/** A tuple, kept apart from lists, for dictionaries' keys and arguments are tuples. */
export class Tuple {
  constructor(readonly items: readonly unknown[]) {}
}

/** A name that a pickle asks for; only those below can be made. */
export class Global {
  constructor(readonly name: string) {}
}

/** The one kind of failure. */
export function refuse(what: string): CovidCtError {
  return new CovidCtError('ERR_WEIGHTS', what);
}

function forbidden(name: string): CovidCtError {
  const isModule = !/^(collections|torch\._utils|builtins|os|posix|nt|subprocess|sys|numpy)\b/.test(name);
  const advice = isModule ? '; if a whole model was saved, save model.state_dict() in Python instead' : '';
  return refuse(
    `the pickle asks for the global '${name}', which is not among those that checkpoints need; ` +
      `it was not executed, and nothing was loaded${advice}`,
  );
}

/** A global by its name. Throws CovidCtError ERR_WEIGHTS for any that checkpoints do not need. */
export function globalOf(module: unknown, name: unknown): Global {
  const whole = globalName(String(module), String(name));
  if (!isKnownGlobal(whole)) throw forbidden(whole);
  return new Global(whole);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function counts(value: unknown, what: string): number[] {
  const items = value instanceof Tuple ? value.items : Array.isArray(value) ? (value as unknown[]) : null;
  if (items === null || items.length > 64 || !items.every(isCount))
    throw refuse(`the pickle's ${what} is not a list of whole numbers >= 0`);
  return items.filter(isCount);
}

/**
 * The arguments of _rebuild_tensor and _rebuild_tensor_v2: storage, offset, shape, strides, and more that is of no
 * matter.
 */
function rebuildTensor(args: readonly unknown[], dtype: string | null): TensorRef {
  const [storage, offset, shape, strides] = args;
  if ((storage as StorageRef | null)?.kind !== 'storage')
    throw refuse('the pickle rebuilds a tensor from something that is no storage');
  if (!isCount(offset)) throw refuse('the pickle rebuilds a tensor at an offset that is not a whole number >= 0');
  const tensor: TensorRef = {
    kind: 'tensor',
    storage: storage as StorageRef,
    offset,
    shape: counts(shape, 'shape'),
    strides: counts(strides, 'strides'),
    dtype,
  };
  if (tensor.shape.length !== tensor.strides.length)
    throw refuse(`the pickle has a tensor with ${tensor.shape.length} dimensions and ${tensor.strides.length} strides`);
  return tensor;
}

/** What torch.save's persistent ids are: ('storage', type, key, location, elements), and in the oldest files a view. */
export function storageOf(id: unknown): StorageRef {
  const [tag, global, key, , count, view = null] = id instanceof Tuple ? id.items : [];
  const type = global instanceof Global ? storageType(global.name) : null;
  if (tag !== 'storage' || type === null || typeof key !== 'string' || !isCount(count)) {
    throw refuse(
      'the pickle has a persistent id that is not a ' +
        `storage${global instanceof Global ? ` but a '${global.name}'` : ''}`,
    );
  }
  if (!isCount(count * STORAGE_BYTES[type]!)) throw refuse(`the pickle has a storage of ${count} elements`);
  if (view === null) return { kind: 'storage', type, key, count, view };
  const [, start, size] = view instanceof Tuple ? view.items : [];
  if (!isCount(start) || !isCount(size) || start + size > count)
    throw refuse('the pickle has a view that reaches beyond its storage');
  return { kind: 'storage', type, key, count, view: { start, count: size } };
}

/** Keys and values in turn, as pairs. */
export function keyValues(items: readonly unknown[]): [unknown, unknown][] {
  if (items.length % 2 !== 0) throw refuse('the pickle sets a key without a value');
  return Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i], items[2 * i + 1]]);
}

function pairOf(pair: unknown): [unknown, unknown] {
  const items: readonly unknown[] = pair instanceof Tuple ? pair.items : Array.isArray(pair) ? (pair as unknown[]) : [];
  if (items.length !== 2) throw refuse('the pickle makes a dictionary of something that is no pair');
  return [items[0], items[1]];
}

/** The pairs of a dictionary: of a list of them, or of another dictionary. */
function pairsOf(value: unknown): [unknown, unknown][] {
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)];
  return Array.isArray(value) ? (value as unknown[]).map(pairOf) : [];
}

/** _rebuild_from_type_v2(function, class, arguments, state): what the function makes. */
function typedTensor([target, , args]: readonly unknown[]): unknown {
  if (target instanceof Global && recipeOf(target.name) === 'typed-tensor')
    throw refuse('the pickle makes a tensor of itself');
  return call(target, args);
}

/** What a call becomes; nothing is ever executed. Throws CovidCtError ERR_WEIGHTS naming what must not be called. */
export function call(target: unknown, args: unknown): unknown {
  const { name } = target instanceof Global ? target : { name: 'something that is not a global' };
  const recipe = recipeOf(name);
  const items = args instanceof Tuple ? args.items : [];
  switch (recipe) {
    case null:
      throw forbidden(name);
    case 'dictionary':
      return new Map(pairsOf(items[0]));
    case 'first-argument':
      return items[0] ?? new Inert('a parameter without numbers', true);
    case 'size':
      return new Tuple(counts(items[0], 'torch.Size'));
    case 'tensor':
      return rebuildTensor(items, null);
    case 'tensor-of-dtype':
      if (!(items[6] instanceof Global)) throw refuse('the pickle rebuilds a tensor of a type that is none');
      return rebuildTensor(items, items[6].name);
    case 'typed-tensor':
      return typedTensor(items);
    default:
      return new Inert(recipe.what, recipe.isTensor);
  }
}
