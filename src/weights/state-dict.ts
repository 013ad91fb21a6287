/** Finds the tensors in a pickle, and checks each against the storage of which it is a view. */
import { CovidCtError } from '../errors';
import type { NativeTensorSource } from '../addon/types';
import { findWeights, isTensor, wordFor } from './find-tensors';
import { STORAGE_BYTES } from './pickle-globals';
import { Inert } from './pickle-values';
import type { StorageRef, TensorRef } from './pickle-values';

/** safetensors dtype and bytes per element, by storage type or torch dtype. */
const DTYPES: Readonly<Record<string, readonly [string, number]>> = {
  FloatStorage: ['F32', 4],
  DoubleStorage: ['F64', 8],
  HalfStorage: ['F16', 2],
  BFloat16Storage: ['BF16', 2],
  LongStorage: ['I64', 8],
  IntStorage: ['I32', 4],
  ShortStorage: ['I16', 2],
  CharStorage: ['I8', 1],
  ByteStorage: ['U8', 1],
  BoolStorage: ['BOOL', 1],
  'torch.float32': ['F32', 4],
  'torch.float64': ['F64', 8],
  'torch.float16': ['F16', 2],
  'torch.bfloat16': ['BF16', 2],
  'torch.int64': ['I64', 8],
  'torch.int32': ['I32', 4],
  'torch.int16': ['I16', 2],
  'torch.int8': ['I8', 1],
  'torch.uint8': ['U8', 1],
  'torch.bool': ['BOOL', 1],
  'torch.uint16': ['U16', 2],
  'torch.uint32': ['U32', 4],
  'torch.uint64': ['U64', 8],
};

/** The place of a storage's bytes in the file. */
export interface StoragePlace {
  readonly offset: number;
  readonly bytes: number;
}

/** Returns the size in bytes of a storage as its pickle describes it. */
export function storageBytes(storage: StorageRef): number {
  return storage.count * STORAGE_BYTES[storage.type]!;
}

function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i -= 1) strides[i] = strides[i + 1]! * Math.max(1, shape[i + 1]!);
  return strides;
}

/** Returns a tensor's dtype and bytes per element. Throws for a dtype that safetensors does not have. */
function elementOf(path: string, name: string, { storage, dtype }: TensorRef): readonly [string, number] {
  const known = DTYPES[dtype ?? storage.type];
  if (known !== undefined) return known;
  const type = dtype ?? `torch.${storage.type}`;
  throw new CovidCtError(
    'ERR_WEIGHTS',
    `${path}: tensor '${name}' is of ${type}, which is not read; save the weights as float32 in Python`,
  );
}

/** Returns the range of the storage's elements that the tensor may use. */
function rangeOf({ storage, offset }: TensorRef, size: number): { readonly start: number; readonly limit: number } {
  const count = Math.floor(storageBytes(storage) / size);
  const { view } = storage;
  return view === null
    ? { start: offset, limit: count }
    : { start: offset + view.start, limit: view.start + view.count };
}

/** Checks that every element is inside the storage, and returns the tensor's place in the file. */
function place(path: string, name: string, tensor: TensorRef, where: StoragePlace): NativeTensorSource {
  const { storage, shape, strides } = tensor;
  const [dtype, size] = elementOf(path, name, tensor);
  const { start, limit } = rangeOf(tensor, size);
  const count = shape.reduce((product, side) => product * side, 1);
  const last = count === 0 ? start - 1 : shape.reduce((sum, side, i) => sum + (side - 1) * strides[i]!, start);
  if (!(last < limit) || !(start <= limit)) {
    throw new CovidCtError(
      'ERR_WEIGHTS',
      `${path}: tensor '${name}' reaches to element ${last} of a storage of ${limit}; the file is damaged`,
    );
  }
  // A tensor can have more elements than its storage when a stride is 0; one this large is malicious.
  if (count > storage.count && count > 2 ** 28) {
    throw new CovidCtError(
      'ERR_WEIGHTS',
      `${path}: tensor '${name}' declares ${count} elements over a storage of ${storage.count}`,
    );
  }
  const contiguous = contiguousStrides(shape);
  const plain = shape.every((side, i) => side <= 1 || strides[i] === contiguous[i]);
  return { name, dtype, shape, offset: where.offset + start * size, ...(plain ? {} : { strides }) };
}

/**
 * Returns the tensors of a state dict with their places in the file.
 *
 * @param value value of the pickle
 * @param placeOf finds a storage in the file
 * @param entry path of keys to the state dict, e.g. `model_ema`; detected by default
 * @throws CovidCtError ERR_WEIGHTS when there is no state dict or more than one, or when a tensor reaches beyond its
 *   storage or has an unsupported dtype
 */
export async function readStateDict(
  path: string,
  value: unknown,
  placeOf: (storage: StorageRef) => StoragePlace | Promise<StoragePlace>,
  entry?: string,
): Promise<{ tensors: NativeTensorSource[]; notes: string[] }> {
  const notes: string[] = [];
  const tensors: NativeTensorSource[] = [];
  for (const [name, each] of findWeights(path, value, notes, entry)) {
    if (typeof name !== 'string') {
      if (!isTensor(each)) continue;
      throw new CovidCtError('ERR_WEIGHTS', `${path}: expected the names of tensors to be texts; got ${wordFor(name)}`);
    }
    if (isTensor(each)) tensors.push(place(path, name, each, await placeOf(each.storage)));
    else if (each instanceof Inert && each.isTensor) {
      throw new CovidCtError(
        'ERR_WEIGHTS',
        `${path}: '${name}' is ${each.what}, which is not read; save plain tensors (float32) in Python`,
      );
    } else notes.push(`left out: '${name}' (${wordFor(each)})`);
  }
  return { tensors, notes };
}
