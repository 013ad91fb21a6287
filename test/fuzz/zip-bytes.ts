/** Seeded zip archives, most of them broken on purpose: every field, name, size, zip64 record and byte may lie. */
import { crc32, deflateRawSync } from 'node:zlib';

/** Numbers in [0, 1) that a seed decides (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One file of an honest archive. */
export interface Member {
  readonly name: string;
  readonly content: Buffer;
  readonly stored?: boolean;
}

/** Draws from one seed. */
class Dice {
  constructor(private readonly next: () => number) {}

  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

const NAMES = [
  'a\0.png',
  '\0',
  '../evil.png',
  '../../../evil.png',
  '..',
  '.',
  '/',
  '/tmp/covidct-fuzz-evil.png',
  'C:\\evil.png',
  'C:evil.png',
  '..\\evil.png',
  '\\\\host\\evil',
  'a\n.png',
  '\x1b[2J.png',
  '',
  `${'n'.repeat(300)}.png`,
  `${'d/'.repeat(400)}x.png`,
  'a',
  'a/',
  'a/b.png',
  './a.png',
  'a//b.png',
  'CT_X/../../evil.png',
  'libtorch/include/../../../evil',
  'libtorch/lib/\0',
  'libtorch/lib/x',
  'archive/data.pkl',
  'archive/data/0',
  'archive/constants.pkl',
  'archive/byteorder',
  '\udfff.png',
  'é'.repeat(200),
  'con',
  'a:b',
  '__MACOSX/x',
];
const NUMBERS16 = [0, 1, 2, 8, 9, 20, 45, 0x800, 0x7fff, 0x8000, 0xfffe, 0xffff];
const NUMBERS32 = [0, 1, 2, 46, 100, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0xa1ff0000, 0x41ed0000];
const NUMBERS64 = [
  0n,
  1n,
  46n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 2n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

function spoil16(dice: Dice, buffer: Buffer, at: number): void {
  buffer.writeUInt16LE(dice.of(NUMBERS16), at);
}

function spoil32(dice: Dice, buffer: Buffer, at: number): void {
  buffer.writeUInt32LE(dice.chance(0.3) ? (buffer.readUInt32LE(at) + dice.below(5) - 2) >>> 0 : dice.of(NUMBERS32), at);
}

/** An extra field: zip64 numbers, a Unicode name, or rubbish, whose length may lie. */
function extraField(dice: Dice): Buffer {
  const data = Buffer.alloc(dice.of([0, 3, 8, 16, 24, 28]));
  for (let at = 0; at + 8 <= data.length; at += 8) data.writeBigUInt64LE(dice.of(NUMBERS64), at);
  const head = Buffer.alloc(4);
  head.writeUInt16LE(dice.of([0x0001, 0x0001, 0x0001, 0x7075, 0x5455, 0x4246]), 0);
  head.writeUInt16LE(dice.chance(0.8) ? data.length : dice.of(NUMBERS16), 2);
  return Buffer.concat([head, data]);
}

/** Compressed bytes as they are, cut off, flipped, or of something else. */
function packed(dice: Dice, content: Buffer, stored: boolean): Buffer {
  const whole = stored ? content : deflateRawSync(content);
  if (dice.chance(0.9)) return whole;
  const kind = dice.below(4);
  if (kind === 0) return whole.subarray(0, dice.below(whole.length + 1));
  if (kind === 1) return deflateRawSync(Buffer.alloc(200_000, 7));
  if (kind === 2) return Buffer.concat([whole, Buffer.alloc(dice.below(50), 0xff)]);
  const spoiled = Buffer.from(whole);
  if (spoiled.length > 0) spoiled[dice.below(spoiled.length)] = dice.below(256);
  return spoiled;
}

/** The fields that both headers share, then offset and attributes, for the directory alone. */
function header(
  dice: Dice,
  { name, content, stored = false }: Member,
  label: Buffer,
  data: Buffer,
  extra: Buffer,
): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(0x800, 2);
  fields.writeUInt16LE(stored ? 0 : 8, 4);
  fields.writeUInt32LE(crc32(content), 10);
  fields.writeUInt32LE(data.length, 14);
  fields.writeUInt32LE(content.length, 18);
  fields.writeUInt16LE(label.length, 22);
  fields.writeUInt16LE(extra.length, 24);
  if (name !== '' && dice.chance(0.1)) {
    const at = dice.of([0, 2, 4, 6, 8, 10, 14, 14, 18, 18, 22, 24]);
    if (at === 10 || at === 14 || at === 18) spoil32(dice, fields, at);
    else spoil16(dice, fields, at);
  }
  return fields;
}

/** End of the directory, with zip64's record and locator before it where the dice say so. */
function endOf(dice: Dice, count: number, directoryAt: number, directoryBytes: number): Buffer {
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(directoryBytes, 12);
  end.writeUInt32LE(directoryAt, 16);
  if (dice.chance(0.1)) spoil16(dice, end, dice.of([4, 6, 8, 10, 20]));
  if (dice.chance(0.1)) spoil32(dice, end, dice.of([12, 16]));
  if (dice.chance(0.75)) return end;
  const record = Buffer.alloc(56);
  record.write('PK\x06\x06', 'latin1');
  record.writeBigUInt64LE(44n, 4);
  record.writeBigUInt64LE(BigInt(count), 24);
  record.writeBigUInt64LE(BigInt(count), 32);
  record.writeBigUInt64LE(BigInt(directoryBytes), 40);
  record.writeBigUInt64LE(BigInt(directoryAt), 48);
  if (dice.chance(0.5)) record.writeBigUInt64LE(dice.of(NUMBERS64), dice.of([4, 24, 32, 40, 48]));
  if (dice.chance(0.1)) spoil32(dice, record, dice.of([0, 16, 20]));
  const locator = Buffer.alloc(20);
  locator.write('PK\x06\x07', 'latin1');
  locator.writeBigUInt64LE(dice.chance(0.5) ? BigInt(directoryAt + directoryBytes) : dice.of(NUMBERS64), 8);
  return Buffer.concat(dice.chance(0.8) ? [record, locator, end] : [locator, end]);
}

/** What may befall any file: flipped bytes, a cut, a part twice, a part left out. */
function damage(dice: Dice, whole: Buffer): Buffer {
  let bytes = whole;
  for (let times = dice.chance(0.75) ? 0 : 1 + dice.below(3); times > 0 && bytes.length > 0; times -= 1) {
    const at = dice.below(bytes.length);
    const kind = dice.below(5);
    if (kind <= 1) {
      bytes = Buffer.from(bytes);
      bytes[at] = dice.below(256);
    } else if (kind === 2) bytes = bytes.subarray(0, at);
    else if (kind === 3) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - 40))]);
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + dice.below(40))]);
  }
  return bytes;
}

/** The archive of a seed, made of some of these members. The same seed makes the same bytes. */
export function fuzzedZip(seed: number, members: readonly Member[]): Buffer {
  const dice = new Dice(generator(seed));
  const some = dice.chance(0.7) ? [...members] : members.filter(() => dice.chance(0.7));
  if (dice.chance(0.3)) some.splice(dice.below(some.length + 1), 0, { ...dice.of(members), name: dice.of(NAMES) });
  if (dice.chance(0.05)) some.push(...some);
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  const starts: number[] = [];
  let at = 0;
  for (const member of some) {
    const label = Buffer.from(member.name);
    const data = packed(dice, member.content, member.stored ?? false);
    const extra = dice.chance(0.2) ? extraField(dice) : Buffer.alloc(0);
    const local = Buffer.concat([
      Buffer.from('PK\x03\x04', 'latin1'),
      header(dice, member, label, data, extra),
      label,
      extra,
    ]);
    const place = Buffer.alloc(14);
    if (dice.chance(0.8)) place.writeUInt32LE(0o100644 * 0x10000, 6);
    place.writeUInt32LE(dice.chance(0.05) ? dice.of([...starts, 0]) : at, 10);
    if (dice.chance(0.1)) spoil32(dice, place, dice.of([6, 10]));
    if (dice.chance(0.05)) spoil16(dice, place, dice.of([0, 2, 4]));
    directory.push(
      Buffer.from('PK\x01\x02\x14\x03', 'latin1'),
      header(dice, member, label, data, extra),
      place,
      label,
      extra,
    );
    starts.push(at);
    parts.push(local, data);
    at += local.length + data.length;
  }
  const all = Buffer.concat(directory);
  return damage(dice, Buffer.concat([...parts, all, endOf(dice, some.length, at, all.length)]));
}
