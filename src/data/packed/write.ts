/** Writes a packed data set atomically, decoding a few images ahead of the one that is written. */
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { BadImageError, DatasetError, throwIfAborted } from '../../errors';
import { change } from '../../files/operations';
import { replaceFile } from '../../files/write';
import { imageOptionsOf } from '../images/options';
import { raceAbort } from '../abort';
import { badImage, decodeChecked } from '../images/decode';
import { isPacked } from './packed';
import { encodePacked, HEAD_BYTES, packedError } from './format';
import type { PackedIndex } from './format';
import { resizedSize } from '../transforms/steps/resize';
import { transformProblem } from '../transforms/limits';
import { SPLIT_NAMES } from '../splits';
import type { SplitName } from '../splits';
import type { Dataset, DatasetSplits, Pixels, ResizePixels, Sample } from '../types';
import type { ResolvedPrepareOptions } from './prepare-options';

/** Summary of a packed data set that was written. */
export interface PackedSummary {
  /** Absolute path. */
  readonly file: string;
  /** Size of the file in bytes. */
  readonly bytes: number;
  readonly fingerprint: string;
  /** Images of each split; null if there is no such split. */
  readonly counts: Readonly<Record<SplitName, number | null>>;
  /** Shorter side in pixels; null: as decoded. */
  readonly resize: number | null;
  /** Files that could not be decoded and were left out. */
  readonly skipped: readonly { readonly split: SplitName; readonly id: string; readonly reason: string }[];
}

/** Functions that need the addon, passed in because this module must not load it. */
export interface PackedTools {
  /** Resizes as a transform's resize does. */
  readonly resize: ResizePixels;
  readonly writtenBy: string;
}

interface Task {
  readonly split: SplitName;
  readonly sample: Sample;
}

type Outcome = { readonly pixels: Pixels } | { readonly reason: string };

/** Refuses to replace anything except a packed data set with `overwrite`. */
async function checkTarget(file: string, overwrite: boolean): Promise<void> {
  const there = await stat(file).catch(() => null);
  if (there === null) return;
  if (!there.isFile() || !(await isPacked(file)))
    throw packedError(file, 'something else than a packed data set lies there; give another name');
  if (!overwrite)
    throw packedError(
      file,
      'there is a packed data set already; give another name, or ' +
        'ask for it to be overwritten (overwrite: true, --overwrite)',
    );
}

async function load(
  { sample }: Task,
  { onBadFile, resize, signal, ...options }: ResolvedPrepareOptions,
  tools: PackedTools,
): Promise<Outcome> {
  try {
    const { source, origin } = sample;
    const pixels = await decodeChecked(source, { ...imageOptionsOf(options), origin, signal });
    if (resize === undefined) return { pixels };
    const problem = transformProblem({ steps: [{ type: 'resize', size: resize }] }, pixels);
    if (problem !== null) throw badImage(source, problem, { origin });
    const size = resizedSize(pixels, resize);
    return {
      pixels: size.height === pixels.height && size.width === pixels.width ? pixels : await tools.resize(pixels, size),
    };
  } catch (error) {
    if (onBadFile === 'error' || !(error instanceof BadImageError)) throw error;
    return { reason: error.reason };
  }
}

/** Yields the outcomes in order, with `ahead` tasks in flight. */
async function* outcomes(
  tasks: readonly Task[],
  options: ResolvedPrepareOptions,
  tools: PackedTools,
): AsyncGenerator<readonly [Task, Outcome], void, undefined> {
  const queue: Promise<Outcome>[] = [];
  let next = 0;
  for (const task of tasks) {
    for (; next < tasks.length && queue.length < options.concurrency; next += 1) {
      const work = load(tasks[next]!, options, tools);
      work.catch(() => undefined); // thrown when its turn comes
      queue.push(work);
    }
    yield [task, await raceAbort(queue.shift()!, options.signal)];
  }
}

/** Optional entries of the index; a file without them can be read by older versions. */
function whatTheReaderSaid(data: DatasetSplits): Pick<PackedIndex, 'leftOut' | 'notes' | 'groups'> {
  const parts = SPLIT_NAMES.map((split) => data[split]);
  const copy = (part: Dataset | null) =>
    (part?.leftOut ?? []).map(({ reason, count, examples }) => ({ reason, count, examples: [...examples] }));
  return {
    ...(parts.some((part) => (part?.leftOut ?? []).length > 0)
      ? { leftOut: { train: copy(data.train), validation: copy(data.validation), test: copy(data.test) } }
      : {}),
    ...((data.notes ?? []).length > 0 ? { notes: [...data.notes!] } : {}),
    ...(parts.some((part) => part?.samples.some(({ group }) => group !== undefined)) ? { groups: [] } : {}),
  };
}

/** Creates the index without images. */
function emptyIndex(data: DatasetSplits, options: ResolvedPrepareOptions, writtenBy: string) {
  const count = (split: SplitName): number | null => (data[split] === null ? null : 0);
  return {
    name: data.name,
    classes: [...data.classes],
    resize: options.resize ?? null,
    ...(options.sixteenBit === undefined ? {} : { sixteenBit: options.sixteenBit }),
    counts: { train: 0, validation: count('validation'), test: count('test') },
    ids: [],
    origins: [],
    labels: [],
    heights: [],
    widths: [],
    checksums: [],
    skipped: [],
    ...whatTheReaderSaid(data),
    writtenBy,
  } satisfies PackedIndex;
}

/** A file that is being written, with its path. */
interface Target {
  readonly handle: FileHandle;
  readonly path: string;
}

async function writeImages(
  target: Target,
  data: DatasetSplits,
  options: ResolvedPrepareOptions,
  tools: PackedTools,
): Promise<{ index: PackedIndex; pixelBytes: number }> {
  const tasks = SPLIT_NAMES.flatMap((split) => (data[split]?.samples ?? []).map((sample): Task => ({ split, sample })));
  if (tasks.length === 0) throw new DatasetError(`${data.name}: expected at least one image to pack; it has none`);
  const index: PackedIndex = emptyIndex(data, options, tools.writtenBy);
  const { counts } = index;
  let position = HEAD_BYTES;
  let done = 0;
  for await (const [
    {
      split,
      sample: { id, label, origin, group },
    },
    outcome,
  ] of outcomes(tasks, options, tools)) {
    done += 1;
    if ('reason' in outcome) index.skipped.push({ split, id, reason: outcome.reason });
    else {
      const { data: bytes, height, width } = outcome.pixels;
      await writeAll(target, bytes, position);
      position += bytes.byteLength;
      for (const [list, value] of [
        [index.labels, label],
        [index.heights, height],
        [index.widths, width],
        [index.checksums, crc32(bytes)],
      ] as const)
        list.push(value);
      index.ids.push(id);
      index.origins.push(origin ?? '');
      index.groups?.push(group ?? '');
      counts[split] = (counts[split] ?? 0) + 1;
    }
    options.onProgress?.({ images: done, totalImages: tasks.length, bytes: position });
  }
  if (index.ids.length === 0)
    throw new DatasetError(
      `${data.name}: none of its ${tasks.length} files could be decoded; the first: ${index.skipped[0]?.reason}`,
    );
  return { index, pixelBytes: position - HEAD_BYTES };
}

async function writeAll({ handle, path }: Target, data: Uint8Array, position: number): Promise<void> {
  await change('write', path, async () => {
    for (let done = 0; done < data.byteLength;)
      done += (await handle.write(data, done, data.byteLength - done, position + done)).bytesWritten;
  });
}

/** Decodes every image of every split into one file; see preparePacked. */
export async function writePacked(
  data: DatasetSplits,
  target: string,
  options: ResolvedPrepareOptions,
  tools: PackedTools,
): Promise<PackedSummary> {
  const file = path.resolve(target);
  throwIfAborted(options.signal);
  await checkTarget(file, options.overwrite);
  return replaceFile(
    file,
    async (temporary) => {
      const handle = await change('create', temporary, () => open(temporary, 'wx'));
      const whole = { handle, path: temporary };
      try {
        const { index, pixelBytes } = await writeImages(whole, data, options, tools);
        const { head, index: bytes, fingerprint } = encodePacked(index, pixelBytes);
        await writeAll(whole, bytes, HEAD_BYTES + pixelBytes);
        await writeAll(whole, head, 0); // written last: without it the file is invalid
        await change('sync', temporary, () => handle.sync());
        throwIfAborted(options.signal);
        const { counts, resize, skipped } = index;
        return { file, bytes: HEAD_BYTES + pixelBytes + bytes.length, fingerprint, counts, resize, skipped };
      } finally {
        await handle.close();
      }
    },
    { action: 'write the packed data set', code: 'ERR_PACKED_DATA', tidy: true },
  );
}
