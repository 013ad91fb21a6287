/** What the pickles of state dicts are made of, and the handful of callables that rebuild tensors. */
import { CovidCtError } from '../errors';

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
}

/** A tuple, kept apart from lists, for dictionaries' keys and arguments are tuples. */
export class Tuple {
  constructor(readonly items: readonly unknown[]) {}
}

/** A name that a pickle asks for; only those below can be made. */
export class Global {
  constructor(readonly name: string) {}
}

const STORAGES = new Set(['Float', 'Double', 'Half', 'BFloat16', 'Long', 'Int', 'Short', 'Char', 'Byte', 'Bool'].map((name) => `torch.${name}Storage`));
const CALLABLES = new Set(['collections.OrderedDict', 'torch._utils._rebuild_tensor', 'torch._utils._rebuild_tensor_v2', 'torch._utils._rebuild_parameter', 'torch.Size']);

/** The one kind of failure. */
export function refuse(what: string): CovidCtError {
  return new CovidCtError('ERR_WEIGHTS', what);
}

function forbidden(name: string): CovidCtError {
  const whole = /^(collections|torch\._utils|builtins|os|posix|nt|subprocess|sys|numpy)\b/.test(name) ? '' : '; if a whole model was saved, save model.state_dict() in Python instead';
  return refuse(`the pickle asks for the global '${name}', which is not among those that tensors need; it was not executed, and nothing was loaded${whole}`);
}

/** A global by its name. Throws CovidCtError ERR_WEIGHTS for any but those that tensors need. */
export function globalOf(module: unknown, name: unknown): Global {
  const whole = `${String(module)}.${String(name)}`;
  if (!CALLABLES.has(whole) && !STORAGES.has(whole)) throw forbidden(whole);
  return new Global(whole);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function counts(value: unknown, what: string): number[] {
  const items = value instanceof Tuple ? value.items : Array.isArray(value) ? (value as unknown[]) : null;
  if (items === null || items.length > 64 || !items.every(isCount)) throw refuse(`the pickle's ${what} is not a list of whole numbers >= 0`);
  return items.filter(isCount);
}

/** The arguments of _rebuild_tensor and _rebuild_tensor_v2: storage, offset, shape, strides, and more that is of no matter. */
function rebuildTensor(args: readonly unknown[]): TensorRef {
  const [storage, offset, shape, strides] = args;
  if ((storage as StorageRef | null)?.kind !== 'storage') throw refuse('the pickle rebuilds a tensor from something that is no storage');
  if (!isCount(offset)) throw refuse('the pickle rebuilds a tensor at an offset that is not a whole number >= 0');
  const tensor: TensorRef = { kind: 'tensor', storage: storage as StorageRef, offset, shape: counts(shape, 'shape'), strides: counts(strides, 'strides') };
  if (tensor.shape.length !== tensor.strides.length) throw refuse(`the pickle has a tensor with ${tensor.shape.length} dimensions and ${tensor.strides.length} strides`);
  return tensor;
}

/** What torch.save's persistent ids are: ('storage', type, key, location, elements), and in the oldest files a view. */
export function storageOf(id: unknown): StorageRef {
  const [tag, type, key, , count, view = null] = id instanceof Tuple ? id.items : [];
  if (tag !== 'storage' || !(type instanceof Global) || !STORAGES.has(type.name) || typeof key !== 'string' || !isCount(count)) {
    throw refuse(`the pickle has a persistent id that is not a storage of numbers${type instanceof Global && !STORAGES.has(type.name) ? ` but of '${type.name}'` : ''}`);
  }
  if (view === null) return { kind: 'storage', type: type.name.slice('torch.'.length), key, count, view };
  const [, start, size] = view instanceof Tuple ? view.items : [];
  if (!isCount(start) || !isCount(size) || start + size > count) throw refuse('the pickle has a view that reaches beyond its storage');
  return { kind: 'storage', type: type.name.slice('torch.'.length), key, count, view: { start, count: size } };
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

/** Calls one of the few callables there are; nothing else is ever executed. Throws CovidCtError ERR_WEIGHTS naming it. */
export function call(target: unknown, args: unknown): unknown {
  const { name } = target instanceof Global ? target : { name: 'something that is not a global' };
  if (!CALLABLES.has(name)) throw forbidden(name);
  const items = args instanceof Tuple ? args.items : [];
  switch (name) {
    case 'collections.OrderedDict': {
      const pairs = Array.isArray(items[0]) ? (items[0] as unknown[]) : [];
      return new Map(pairs.map(pairOf));
    }
    case 'torch._utils._rebuild_parameter':
      return items[0];
    case 'torch.Size':
      return new Tuple(counts(items[0], 'torch.Size'));
    default:
      return rebuildTensor(items);
  }
}
