/** The values in a checkpoint's pickle, and the conversion of its calls to plain data; nothing is ever executed. */
import { CovidCtError } from '../errors';
import { globalName, isKnownGlobal, recipeOf, STORAGE_BYTES, storageType } from './pickle-globals';

/** A storage as a pickle names it; the container format knows where its bytes are. */
export interface StorageRef {
  readonly kind: 'storage';
  /** `FloatStorage`, ... */
  readonly type: string;
  readonly key: string;
  /** Number of elements of the whole storage, as the pickle states. */
  readonly count: number;
  /** Start and number of elements of a view into the storage, which only the oldest files have. */
  readonly view: { readonly start: number; readonly count: number } | null;
}

/** A tensor as a view of a storage. */
export interface TensorRef {
  readonly kind: 'tensor';
  readonly storage: StorageRef;
  /** Offset in elements. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** dtype such as `torch.uint16` when the storage's type does not imply it; otherwise null. */
  readonly dtype: string | null;
}

/** A value of a checkpoint that this library does not use, with a description such as `a set`. */
export class Inert {
  constructor(
    readonly what: string,
    readonly isTensor = false,
  ) {}
}

/** A tuple, which is distinct from a list because arguments of calls must be tuples. */
export class Tuple {
  constructor(readonly items: readonly unknown[]) {}
}

/** A global that a pickle names; created by {@link globalOf} only. */
export class Global {
  constructor(readonly name: string) {}
}

/** Creates the error for a pickle that is refused. */
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

/** Returns a global by its name. Throws CovidCtError ERR_WEIGHTS for one that is not on the allowlist. */
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
 * Converts the arguments of _rebuild_tensor and _rebuild_tensor_v2: storage, offset, shape and strides; the others are
 * ignored.
 */
function rebuildTensor(args: readonly unknown[], dtype: string | null): TensorRef {
  const [storage, offset, shape, strides] = args;
  if ((storage as StorageRef | null)?.kind !== 'storage')
    throw refuse('the pickle rebuilds a tensor from something that is not a storage');
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

/** Reads a persistent id of torch.save: ('storage', type, key, location, elements), in the oldest files with a view. */
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

/** Groups alternating keys and values into pairs. */
export function keyValues(items: readonly unknown[]): [unknown, unknown][] {
  if (items.length % 2 !== 0) throw refuse('the pickle sets a key without a value');
  return Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i], items[2 * i + 1]]);
}

function pairOf(pair: unknown): [unknown, unknown] {
  const items: readonly unknown[] = pair instanceof Tuple ? pair.items : Array.isArray(pair) ? (pair as unknown[]) : [];
  if (items.length !== 2) throw refuse('the pickle makes a dictionary of something that is not a pair');
  return [items[0], items[1]];
}

/** Returns the pairs for a new dictionary from a list of pairs or another dictionary. */
function pairsOf(value: unknown): [unknown, unknown][] {
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)];
  return Array.isArray(value) ? (value as unknown[]).map(pairOf) : [];
}

/** Converts _rebuild_from_type_v2(function, class, arguments, state) to the result of the function. */
function typedTensor([target, , args]: readonly unknown[]): unknown {
  if (target instanceof Global && recipeOf(target.name) === 'typed-tensor')
    throw refuse('the pickle makes a tensor of itself');
  return call(target, args);
}

/** Converts a call to plain data without executing it. Throws CovidCtError ERR_WEIGHTS for a global not allowed. */
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
      if (!(items[6] instanceof Global)) throw refuse('the pickle rebuilds a tensor with an invalid dtype');
      return rebuildTensor(items, items[6].name);
    case 'typed-tensor':
      return typedTensor(items);
    default:
      return new Inert(recipe.what, recipe.isTensor);
  }
}
