/**
 * The file of a packed data set: what its bytes mean, and everything that can be checked before a pixel is read.
 *
 * 64 bytes of head, then the pixels of all images one after another (RGB, uint8, rows first), then the index as JSON.
 * The head is written last: a file whose writing was cut off has none and is refused. Numbers are little-endian.
 *
 *   0  `COVIDCT-PACK` (ASCII)     12  format version, uint32     16  position of the index, uint64
 *  24  bytes of the index, uint64     32  SHA-256 of the index
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { CovidCtError } from '../../errors';
import { LEFT_OUT_REASONS } from '../../files/left-out';
import { sixteenBitSchema } from '../images/options';
import { SPLIT_NAMES } from '../splits';

const MAGIC = 'COVIDCT-PACK';
/** Another number for every change of the format. */
export const PACKED_VERSION = 1;
export const HEAD_BYTES = 64;
/** A million images of long names; no index is read into memory that claims more. */
const MOST_INDEX_BYTES = 1024 ** 3;

/** Where the index lies, and what it must hash to. */
export interface PackedHead {
  readonly indexOffset: number;
  readonly indexBytes: number;
  /** SHA-256 of the index in hexadecimal digits; it holds a checksum of every image, so it stands for them too. */
  readonly fingerprint: string;
}

const strings = z.array(z.string());
const whole = (most: number) => z.array(z.int().min(0).max(most));

const leftOut = z.array(z.strictObject({ reason: z.enum(LEFT_OUT_REASONS), count: z.int().min(1), examples: strings }));

const indexSchema = z.strictObject({
  /** Name of the data set. */
  name: z.string().min(1),
  classes: z.array(z.string().min(1)).min(1),
  /** Pixels of the shorter side of every image; null: as decoded. */
  resize: z.int().min(1).nullable(),
  /** Values of 16-bit originals that became 0 and 255; absent: none were named. */
  sixteenBit: sixteenBitSchema.optional(),
  /** Images of each split, which follow one another; null: there is no such split. */
  counts: z.strictObject({
    train: z.int().min(0),
    validation: z.int().min(0).nullable(),
    test: z.int().min(0).nullable(),
  }),
  ids: strings,
  /** Where the data set named each; empty: it did not say. */
  origins: strings,
  labels: whole(0xffff),
  heights: whole(0xffff_ffff),
  widths: whole(0xffff_ffff),
  /** CRC-32 of each image's pixels. */
  checksums: whole(0xffff_ffff),
  /** Files that could not be decoded and were left out. */
  skipped: z.array(z.strictObject({ split: z.enum(SPLIT_NAMES), id: z.string(), reason: z.string() })),
  /** What the originals' reader left out of each split. */
  leftOut: z.strictObject({ train: leftOut, validation: leftOut, test: leftOut }).optional(),
  /** What the originals' reader took for granted. */
  notes: strings.optional(),
  /** The group of each image, e.g. the patient; empty: none. */
  groups: strings.optional(),
  /** Version of the package that wrote it. */
  writtenBy: z.string(),
});

/** Everything about a packed data set but the pixels; the lists have one entry for each image, split after split. */
export type PackedIndex = z.output<typeof indexSchema>;

/** Something is wrong with a packed data set. */
export function packedError(file: string, what: string, cause?: unknown): CovidCtError {
  return new CovidCtError('ERR_PACKED_DATA', `${file}: ${what}`, { cause });
}

const AGAIN = 'make it again with covidct prepare';

/** The index as bytes, and the head that goes with it where the pixels take so many. */
export function encodePacked(
  index: PackedIndex,
  pixelBytes: number,
): { head: Buffer; index: Buffer; fingerprint: string } {
  const bytes = Buffer.from(JSON.stringify(index));
  const digest = createHash('sha256').update(bytes).digest();
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, 'latin1');
  head.writeUInt32LE(PACKED_VERSION, 12);
  head.writeBigUInt64LE(BigInt(HEAD_BYTES + pixelBytes), 16);
  head.writeBigUInt64LE(BigInt(bytes.length), 24);
  digest.copy(head, 32);
  return { head, index: bytes, fingerprint: digest.toString('hex') };
}

/** Whether a file begins as a packed data set of any version. */
export function isPackedHead(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, MAGIC.length)).toString('latin1') === MAGIC;
}

/**
 * Reads the head of a file of `fileBytes` bytes.
 *
 * @throws CovidCtError ERR_PACKED_DATA for a foreign file, another version, or one that is shorter or longer than it
 *   says
 */
export function parseHead(head: Buffer, fileBytes: number, file: string): PackedHead {
  if (!isPackedHead(head)) {
    const first = head.subarray(0, MAGIC.length);
    if (first.length > 0 && first.every((byte) => byte === 0))
      throw packedError(file, `the writing of this packed data set was cut off; ${AGAIN}`);
    throw packedError(
      file,
      `expected a packed data set, which begins with "${MAGIC}" and is made by covidct prepare; ` +
        `it ${first.length === 0 ? 'is empty' : `begins with ${JSON.stringify(first.toString('latin1'))}`}`,
    );
  }
  if (head.length < HEAD_BYTES)
    throw packedError(
      file,
      `expected at least ${HEAD_BYTES} bytes; it has ${fileBytes}: it was cut off; copy it again or ${AGAIN}`,
    );
  const version = head.readUInt32LE(12);
  if (version !== PACKED_VERSION) {
    const update = version > PACKED_VERSION ? 'it is of a newer covidct-torch: update this one, or ' : '';
    throw packedError(file, `expected format version ${PACKED_VERSION}; it has ${version}; ${update}${AGAIN}`);
  }
  const [indexOffset, indexBytes] = [head.readBigUInt64LE(16), head.readBigUInt64LE(24)].map(Number) as [
    number,
    number,
  ];
  const expected = indexOffset + indexBytes;
  if (indexOffset < HEAD_BYTES || indexBytes > MOST_INDEX_BYTES)
    throw packedError(
      file,
      `its head is damaged: an index of ${indexBytes} bytes at byte ${indexOffset}; copy it again or ${AGAIN}`,
    );
  if (expected !== fileBytes)
    throw packedError(
      file,
      `expected ${expected} bytes; it ` +
        `has ${fileBytes}${fileBytes < expected ? ': it was cut off' : ''}; copy it again or ${AGAIN}`,
    );
  return { indexOffset, indexBytes, fingerprint: head.subarray(32, 64).toString('hex') };
}

/**
 * Reads and checks the index.
 *
 * @throws CovidCtError ERR_PACKED_DATA when it is not what was written, or contradicts itself or the file
 */
export function parseIndex(bytes: Buffer, { indexOffset, fingerprint }: PackedHead, file: string): PackedIndex {
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (actual !== fingerprint)
    throw packedError(
      file,
      `its index at byte ${indexOffset} is damaged: expected ` +
        `SHA-256 ${fingerprint}; it has ${actual}; copy it again or ${AGAIN}`,
    );
  const result = indexSchema.safeParse(JSON.parse(bytes.toString('utf8')));
  if (!result.success)
    throw packedError(
      file,
      'its index is not one of this ' +
        `format: ${result.error.issues[0]?.path.join('.')}: ${result.error.issues[0]?.message}; ${AGAIN}`,
    );
  const problem = contradiction(result.data, indexOffset - HEAD_BYTES);
  if (problem !== null) throw packedError(file, `its index contradicts itself: ${problem}; ${AGAIN}`);
  return result.data;
}

function contradiction({ classes, counts, ids, ...lists }: PackedIndex, pixelBytes: number): string | null {
  const n = counts.train + (counts.validation ?? 0) + (counts.test ?? 0);
  if (ids.length !== n) return `${n} images but ${ids.length} ids`;
  for (const name of ['origins', 'labels', 'heights', 'widths', 'checksums'] as const) {
    if (lists[name].length !== n) return `${n} images but ${lists[name].length} ${name}`;
  }
  if (lists.groups !== undefined && lists.groups.length !== n) return `${n} images but ${lists.groups.length} groups`;
  const wrong = lists.labels.find((label) => label >= classes.length);
  if (wrong !== undefined) return `a label ${wrong} of ${classes.length} classes`;
  let bytes = 0;
  for (let i = 0; i < n; i += 1) {
    const image = lists.heights[i]! * lists.widths[i]! * 3;
    if (image === 0) return `image ${i} has no pixels`;
    bytes += image;
  }
  return bytes === pixelBytes ? null : `its images have ${bytes} bytes of pixels, the file has room for ${pixelBytes}`;
}
