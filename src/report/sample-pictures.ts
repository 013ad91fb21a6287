/** Shows some images of each class of a split, as files of a run folder and in TensorBoard. */
import { sampleMontage } from '../data/montage';
import type { Dataset } from '../data/types';
import type { ImageOptions } from '../data/images/options';
import type { RunFolder } from '../train/run-folder';
import type { TensorBoardImages } from './tensorboard-images';
import type { SampleFacts } from './types';
import { encodeImage } from './overlay';

interface KeepSamples {
  /** Null: they are shown in TensorBoard alone, since the files are those of another split. */
  readonly folder: RunFolder | null;
  readonly board: TensorBoardImages;
  /** Name of the split, for TensorBoard. */
  readonly split: string;
  /** Only images that can be decoded. */
  readonly dataset: Dataset;
  /** How they are read. */
  readonly images: ImageOptions;
  readonly signal: AbortSignal | undefined;
}

/** Draws one montage for each class that has images, `pictures/samples-<index>.png`. Gives their words. */
export async function keepSamples({
  folder,
  board,
  split,
  dataset,
  images,
  signal,
}: KeepSamples): Promise<SampleFacts[]> {
  const facts: SampleFacts[] = [];
  for (const [label, title] of dataset.classes.entries()) {
    if (!dataset.samples.some((sample) => sample.label === label)) continue;
    const sheet = await sampleMontage(dataset, { label, ...images, signal });
    const png = await encodeImage(sheet);
    const file = `samples-${label}.png`;
    await folder?.write(`pictures/${file}`, png);
    board.add(`${split}/samples/${title}`, { png, width: sheet.width, height: sheet.height });
    facts.push({ file, title, caption: `Some images of ${dataset.name}, drawn at random` });
  }
  return facts;
}
