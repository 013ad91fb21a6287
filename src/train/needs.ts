/** What a training will take of memory and disk, said before it begins, and refused where the disk cannot hold it. */
import { readdir, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { TrainingNeeds } from '../log/types';
import { CovidCtError } from '../errors';
import { trainingMemory } from '../model/training-memory';
import type { Network } from '../model/types';
import { stateTensors } from './optimizers';
import type { ResolvedTrainOptions } from './options';

/** Everything of a run folder but its weights: pictures, TensorBoard, report. */
const OTHER_FILES_BYTES = 32 * 1024 ** 2;
/**
 * Bytes of a decoded image for each pixel of the network's input: three channels, of an image resized to 256 of 224.
 */
const PIXEL_BYTES = 6;

function weightBytesOf({ tensors }: Network): number {
  return tensors.reduce(
    (sum, { shape, dtype }) => sum + shape.reduce((a, b) => a * b, 1) * (dtype === 'I64' ? 8 : 4),
    0,
  );
}

function memoryOf(network: Network, options: ResolvedTrainOptions, images: number, weightBytes: number): number | null {
  const { batchSize, imageSize, maxCacheBytes, optimizer, ema } = options;
  // A GPU's memory was not measured.
  const alone = network.device === 'cpu' ? trainingMemory(network.architecture, { batchSize, imageSize }) : null;
  if (alone === null) return null;
  // The table was measured with SGD, which has one tensor of state for each parameter.
  const more = stateTensors(optimizer, options) - 1 + (ema === undefined ? 0 : 1);
  return alone + more * weightBytes + Math.min(maxCacheBytes, images * PIXEL_BYTES * imageSize ** 2);
}

/** Free bytes of the file system on which `path` is or will be; null where the system does not say. */
async function freeBytes(path: string): Promise<number | null> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const info = await statfs(folder).catch(() => null);
    // A file system without blocks, such as /proc, says nothing of its room; what is wrong with it shows when it is
    // written to.
    if (info !== null) return info.blocks === 0 ? null : info.bavail * info.bsize;
    if (dirname(folder) === folder) return null;
  }
}

/** What weights and checkpoints that are there already will give back, since new ones take their place. */
async function weightsThere(out: string): Promise<number> {
  const folders = [join(out, 'weights'), join(out, 'checkpoints')];
  const files = await Promise.all(
    folders.map(async (folder) => (await readdir(folder).catch(() => [])).map((name) => join(folder, name))),
  );
  const sizes = await Promise.all(
    files.flat().map((file) =>
      stat(file).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Bytes of a checkpoint: weights, the optimizer's state, the average, and gathered gradients at most. */
function checkpointBytesOf(options: ResolvedTrainOptions, weightBytes: number): number {
  const { optimizer, ema, preset } = options;
  const tensors = 1 + stateTensors(optimizer, options) + (ema === undefined ? 0 : 1) + (preset === 'tutorial' ? 1 : 0);
  return tensors * weightBytes;
}

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

/**
 * Estimates what a training takes.
 *
 * @param training `images`: of both splits; `resumes`: whether what lies in the run folder is of the same training
 * @throws CovidCtError ERR_RUN_FOLDER when weights and checkpoints do not fit on the disk: new ones are written beside
 *   the old ones, and a checkpoint needs the best weights of its time
 */
export async function checkNeeds(
  network: Network,
  options: ResolvedTrainOptions,
  { images, resumes }: { readonly images: number; readonly resumes: boolean },
): Promise<TrainingNeeds> {
  const weightBytes = weightBytesOf(network);
  const { out, overwrite, keep, keepCheckpoints } = options;
  const checkpointBytes = out === undefined || keepCheckpoints === 0 ? 0 : checkpointBytesOf(options, weightBytes);
  const others = out === undefined ? 0 : OTHER_FILES_BYTES;
  const place = out ?? tmpdir();
  const free = await freeBytes(place);
  const isReplaced = out !== undefined && (overwrite || resumes);
  const room = free === null ? null : free + (isReplaced ? await weightsThere(out) : 0);
  // Each checkpoint needs the best weights of its time.
  const written = checkpointBytes === 0 ? 0 : (keepCheckpoints + 1) * (checkpointBytes + weightBytes);
  const most = 2 * weightBytes + written + others;
  if (room !== null && room < most) {
    throw new CovidCtError(
      'ERR_RUN_FOLDER',
      `${place}: expected ${mebibytes(most)} of free disk for the weights` +
        `${written === 0 ? '' : ' and checkpoints'}, of which new ones are written beside the old ones; there ` +
        `are ${mebibytes(room)}; free some space${
          written === 0
            ? ''
            : ', keep fewer checkpoints (keepCheckpoints: 0, ' + '--keep-checkpoints 0: the run cannot be resumed)'
        } or choose another folder`,
    );
  }
  return {
    memoryBytes: memoryOf(network, options, images, weightBytes),
    freeMemoryBytes: process.availableMemory(),
    diskBytes:
      out === undefined ? 0 : (keep === 'both' ? 2 : 1) * weightBytes + keepCheckpoints * checkpointBytes + others,
  };
}
