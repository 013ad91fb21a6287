/** Tensors of a network and of its training in a plain file, one after another, for the native tests. */
import { readFile, writeFile } from 'node:fs/promises';
import type { NativeTensor, NativeTensorSource } from '../../src/addon/types';
import type { Network } from '../../src/model/types';

const ITEM_BYTES: Readonly<Record<string, number>> = { F32: 4, I64: 8 };

export interface Stored {
  readonly path: string;
  readonly sources: readonly NativeTensorSource[];
}

/** Where the tensors lie in a file that holds them one after another. */
export function placesOf(tensors: readonly NativeTensor[]): NativeTensorSource[] {
  let end = 0;
  return tensors.map(({ name, dtype, shape }) => {
    const offset = end;
    end += shape.reduce((product, side) => product * side, ITEM_BYTES[dtype]!);
    return { name, dtype, shape, offset };
  });
}

/** Writes every tensor of the network, and what its training has beside them. */
export async function store(model: Network, path: string): Promise<Stored> {
  const sources = placesOf([...model.tensors, ...(await model.trainingState())]);
  await writeFile(path, '');
  await model.writeTensors(
    path,
    0,
    sources.map(({ name }) => name),
  );
  return { path, sources };
}

/** Bytes of each tensor by name, in hexadecimal digits. */
export async function bytesOf({ path, sources }: Stored): Promise<Map<string, string>> {
  const file = await readFile(path);
  return new Map(
    sources.map(({ name, offset }, i) => [
      name,
      file.subarray(offset, sources[i + 1]?.offset ?? file.length).toString('hex'),
    ]),
  );
}
