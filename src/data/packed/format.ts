/**
 * The file format of a packed data set, and all checks that can be made before a pixel is read.
 *
 * A header of 64 bytes, then the pixels of all images (RGB, uint8, row-major), then the index as JSON. The header is
 * written last: an incomplete file has none and is refused. Numbers are little-endian.
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
/** Version of the format. */
export const PACKED_VERSION = 1;
export const HEAD_BYTES = 64;
/** Maximum size of an index, enough for a million images with long names. */
const MOST_INDEX_BYTES = 1024 ** 3;

/** The header: offset, size and hash of the index. */
export interface PackedHead {
  readonly indexOffset: number;
  readonly indexBytes: number;
  /** SHA-256 of the index in hexadecimal digits. It covers the images too, because the index has their checksums. */
  readonly fingerprint: string;
}

const strings = z.array(z.string());
const whole = (most: number) => z.array(z.int().min(0).max(most));

const leftOut = z.array(z.strictObject({ reason: z.enum(LEFT_OUT_REASONS), count: z.int().min(1), examples: strings }));

const indexSchema = z.strictObject({
  /** Name of the data set. */
  name: z.string().min(1),
  classes: z.array(z.string().min(1)).min(1),
  /** Shorter side of every image in pixels; null: as decoded. */
  resize: z.int().min(1).nullable(),
  /** Values of 16-bit originals that became 0 and 255; absent if none were set. */
  sixteenBit: sixteenBitSchema.optional(),
  /** Images of each split, which follow one another; null: there is no such split. */
  counts: z.strictObject({
    train: z.int().min(0),
    validation: z.int().min(0).nullable(),
    test: z.int().min(0).nullable(),
  }),
  ids: strings,
  /** File and line that list each image; empty if unknown. */
  origins: strings,
  labels: whole(0xffff),
  heights: whole(0xffff_ffff),
  widths: whole(0xffff_ffff),
  /** CRC-32 of each image's pixels. */
  checksums: whole(0xffff_ffff),
  /** Files that could not be decoded and were left out. */
  skipped: z.array(z.strictObject({ split: z.enum(SPLIT_NAMES), id: z.string(), reason: z.string() })),
  /** Files that the reader of the originals left out of each split. */
  leftOut: z.strictObject({ train: leftOut, validation: leftOut, test: leftOut }).optional(),
  /** Assumptions of the reader of the originals. */
  notes: strings.optional(),
  /** The group of each image, e.g. the patient; empty: none. */
  groups: strings.optional(),
  /** Version of the package that wrote it. */
  writtenBy: z.string(),
});

/** Everything except the pixels of a packed data set; the lists have one entry per image, split after split. */
export type PackedIndex = z.output<typeof indexSchema>;

/** Creates the error for a packed data set. */
export function packedError(file: string, what: string, cause?: unknown): CovidCtError {
  return new CovidCtError('ERR_PACKED_DATA', `${file}: ${what}`, { cause });
}

const AGAIN = 'make it again with covidct prepare';

/** Encodes the index, and the header for it and the given number of pixel bytes. */
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

/** Whether the first bytes of a file are those of a packed data set of any version. */
export function isPackedHead(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, MAGIC.length)).toString('latin1') === MAGIC;
}

/**
 * Parses the header of a file of `fileBytes` bytes.
 *
 * @throws CovidCtError ERR_PACKED_DATA for a foreign file, another version, or a file whose size does not match its
 *   header
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
 * @throws CovidCtError ERR_PACKED_DATA when its hash is wrong, or when it is inconsistent
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
