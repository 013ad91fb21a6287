/** Writes hostile weight files: pickles opcode by opcode, legacy streams around them, and zip archives that lie. */
import { crc32, deflateRawSync } from 'node:zlib';

const MAGIC = '8a0a6cfc9c46f9206aa85019';

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = Buffer.from('X\0\0\0\0', 'latin1');
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** A whole number of up to 53 bits, as LONG1. */
export function int(value: number): Buffer {
  const bytes = Buffer.alloc(10);
  bytes[0] = 0x8a;
  bytes[1] = 8;
  bytes.writeBigInt64LE(BigInt(value), 2);
  return bytes;
}

/** Opcodes as text (latin1), or bytes, in one pickle of protocol 2. */
export function pickle(...parts: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat([
    Buffer.from('\x80\x02', 'latin1'),
    ...parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)),
    Buffer.from('.'),
  ]);
}

function tuple(...items: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat([Buffer.from('('), ...items.map((item) => Buffer.from(item as Buffer)), Buffer.from('t')]);
}

/** A state dict with the one tensor `w` of the storage '0', as torch.save writes it, with these numbers. */
export function oneTensor(numbers: {
  count?: number;
  offset?: number;
  shape?: readonly number[];
  strides?: readonly number[];
  type?: string;
}): Buffer {
  const { count = 4, offset = 0, shape = [4], strides = [1], type = 'FloatStorage' } = numbers;
  const id = tuple(text('storage'), Buffer.from(`ctorch\n${type}\n`), text('0'), text('cpu'), int(count));
  const args = tuple(
    Buffer.concat([id, Buffer.from('Q')]),
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    Buffer.from('\x89', 'latin1'),
    Buffer.from('}'),
  );
  return pickle('}', text('w'), 'ctorch._utils\n_rebuild_tensor_v2\n', args, 'R', 's');
}

/** The legacy container around a pickle, with the storage '0' of four floats. */
export function legacy(object: Buffer): Buffer {
  const count = Buffer.alloc(8);
  count.writeBigInt64LE(4n);
  const system = pickle('}', text('little_endian'), '\x88s');
  return Buffer.concat([
    pickle(Buffer.from(MAGIC, 'hex')),
    pickle('M\xe9\x03'),
    system,
    object,
    pickle(']', text('0'), 'a'),
    count,
    Buffer.from(Float32Array.of(1, 2, 3, 4).buffer),
  ]);
}

/** An entry of a zip archive; `claims` writes other sizes into the directory than the entry has. */
export interface ZipEntry {
  readonly name: string;
  readonly content: Buffer;
  readonly packed?: boolean;
  readonly claims?: { readonly size?: number; readonly offset?: number };
}

/** A zip archive, entry by entry. */
export function zip(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, content, packed = false, claims = {} } of entries) {
    const data = packed ? deflateRawSync(content) : content;
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(packed ? 8 : 0, 4);
    fields.writeUInt32LE(crc32(content), 10);
    fields.writeUInt32LE(packed ? data.length : (claims.size ?? data.length), 14);
    fields.writeUInt32LE(claims.size ?? content.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(claims.offset ?? at, 10);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, Buffer.from(name)]);
    directory.push(Buffer.from('PK\x01\x02\x14\0', 'latin1'), fields, place, Buffer.from(name));
    parts.push(local, data);
    at += local.length + data.length;
  }
  const all = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(all.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, all, end]);
}

export { text, tuple };
