/** Finds the tensors in what a pickle holds, and checks each against the storage it is a view of. */
import { CovidCtError } from '../errors';
import type { NativeTensorSource } from '../native/types';
import { Tuple } from './pickle-values';
import type { StorageRef, TensorRef } from './pickle-values';

/** dtype as safetensors spells it, and bytes of an element. */
const DTYPES: Readonly<Record<string, readonly [string, number]>> = {
  FloatStorage: ['F32', 4], DoubleStorage: ['F64', 8], HalfStorage: ['F16', 2], BFloat16Storage: ['BF16', 2], LongStorage: ['I64', 8],
  IntStorage: ['I32', 4], ShortStorage: ['I16', 2], CharStorage: ['I8', 1], ByteStorage: ['U8', 1], BoolStorage: ['BOOL', 1],
};

/** Keys under which trainings keep the weights beside other things. */
const NESTED = ['state_dict', 'model_state_dict', 'model', 'net', 'network', 'weights', 'params'];

/** What wrappers put before every name: DataParallel and torch.compile. */
const PREFIXES = ['module.', '_orig_mod.'];

/** A storage's bytes in the file. */
export interface StoragePlace {
  readonly offset: number;
  readonly bytes: number;
}

/** Bytes of a storage as its pickle describes it. */
export function storageBytes(storage: StorageRef): number {
  return storage.count * elementOf(storage)[1];
}

function elementOf(storage: StorageRef): readonly [string, number] {
  return DTYPES[storage.type] as readonly [string, number];
}

function isTensor(value: unknown): value is TensorRef {
  return (value as TensorRef | null)?.kind === 'tensor';
}

function hasTensors(value: unknown): value is Map<unknown, unknown> {
  return value instanceof Map && [...value.values()].some(isTensor);
}

function wordFor(value: unknown): string {
  if (value === null) return 'nothing';
  if (value instanceof Map) return `a dictionary of ${value.size}`;
  if (value instanceof Tuple || Array.isArray(value)) return 'a list';
  return { number: 'a number', string: 'a text', boolean: 'true or false' }[typeof value as 'number'] ?? 'something else';
}

/** A key for people. Never String() of it: a list that holds itself many times over has no end as a text. */
function keyText(key: unknown): string {
  return typeof key === 'string' || typeof key === 'number' ? `'${key}'` : wordFor(key);
}

/** The dictionary that holds the tensors: the whole, or what stands under one of the usual keys. */
function tensorsIn(path: string, value: unknown, notes: string[]): Map<unknown, unknown> {
  if (hasTensors(value)) return value;
  const found = value instanceof Map ? NESTED.filter((key) => hasTensors(value.get(key))) : [];
  if (found.length > 1) throw new CovidCtError('ERR_WEIGHTS', `${path}: expected one set of weights; there are several, under ${found.map((key) => `'${key}'`).join(' and ')}; save the one you mean by itself`);
  const [key] = found;
  if (key === undefined) {
    const what = value instanceof Map ? `a dictionary with ${[...value.keys()].slice(0, 5).map(keyText).join(', ') || 'nothing in it'}` : wordFor(value);
    throw new CovidCtError('ERR_WEIGHTS', `${path}: expected a state dict, names to tensors, by itself or under ${NESTED.slice(0, 3).join(', ')}; it holds ${what}`);
  }
  const outer = value as Map<unknown, unknown>;
  notes.push(`the weights stand under '${key}'`);
  for (const [other, left] of outer) if (other !== key) notes.push(`left out: ${keyText(other)} (${wordFor(left)})`);
  return outer.get(key) as Map<unknown, unknown>;
}

function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i -= 1) strides[i] = (strides[i + 1] as number) * Math.max(1, shape[i + 1] as number);
  return strides;
}

/** Checks that every element lies inside the storage, and gives the tensor's place in the file. */
function place(path: string, name: string, tensor: TensorRef, where: StoragePlace): NativeTensorSource {
  const { storage, shape, strides } = tensor;
  const [dtype, size] = elementOf(storage);
  const start = tensor.offset + (storage.view?.start ?? 0);
  const count = shape.reduce((product, side) => product * side, 1);
  const last = count === 0 ? start - 1 : shape.reduce((sum, side, i) => sum + (side - 1) * (strides[i] as number), start);
  const limit = storage.view === null ? storage.count : storage.view.start + storage.view.count;
  if (!(last < limit) || !(start <= limit)) {
    throw new CovidCtError('ERR_WEIGHTS', `${path}: tensor '${name}' reaches to element ${last} of a storage of ${limit}; the file is damaged`);
  }
  // More elements than the storage has are only possible where a stride is 0; that such a file is meant is out of the question beyond this.
  if (count > storage.count && count > 2 ** 28) throw new CovidCtError('ERR_WEIGHTS', `${path}: tensor '${name}' claims ${count} elements over a storage of ${storage.count}`);
  const contiguous = contiguousStrides(shape);
  const plain = shape.every((side, i) => side <= 1 || strides[i] === contiguous[i]);
  return { name, dtype, shape, offset: where.offset + start * size, ...(plain ? {} : { strides }) };
}

/** Takes off what a wrapper put before every name. */
function stripPrefix(sources: NativeTensorSource[], notes: string[]): NativeTensorSource[] {
  for (const prefix of PREFIXES) {
    if (sources.length === 0 || !sources.every(({ name }) => name.startsWith(prefix))) continue;
    notes.push(`the prefix '${prefix}' was taken off ${sources.length} names`);
    return stripPrefix(sources.map((source) => ({ ...source, name: source.name.slice(prefix.length) })), notes);
  }
  return sources;
}

/**
 * The tensors of a state dict with their places in the file.
 *
 * @param value what the pickle holds
 * @param placeOf finds a storage in the file
 * @throws CovidCtError ERR_WEIGHTS when there is no state dict, or a tensor reaches beyond its storage
 */
export async function readStateDict(path: string, value: unknown, placeOf: (storage: StorageRef) => StoragePlace | Promise<StoragePlace>): Promise<{ tensors: NativeTensorSource[]; notes: string[] }> {
  const notes: string[] = [];
  const sources: NativeTensorSource[] = [];
  for (const [name, each] of tensorsIn(path, value, notes)) {
    if (typeof name !== 'string') throw new CovidCtError('ERR_WEIGHTS', `${path}: expected the names of tensors to be texts; got ${wordFor(name)}`);
    if (isTensor(each)) sources.push(place(path, name, each, await placeOf(each.storage)));
    else notes.push(`left out: '${name}' (${wordFor(each)})`);
  }
  return { tensors: stripPrefix(sources, notes), notes };
}
