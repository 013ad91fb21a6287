/** Made-up splits, packed; and the error that a promise is rejected with. */
import path from 'node:path';
import { fromSamples } from '../../../../src/data/samples';
import type { DatasetSplits } from '../../../../src/data/types';
import { CovidCtError } from '../../../../src/errors';
import { preparePacked } from '../../../../src/model/prepare-packed';
import { grayPng } from '../../../helpers/images';
import { newFolder, writeAt } from '../helpers';

/** Five training images of different sizes, no validation, two for test; `bad` of the training images are no images. */
export async function someSplits(root: string, bad: readonly number[] = []): Promise<DatasetSplits> {
  const make = async (split: string, n: number) => {
    const samples = [];
    for (let i = 0; i < n; i += 1) {
      const content = split === 'train' && bad.includes(i) ? 'rubbish' : await grayPng(10 * i + n, 4 + i, 9 - i);
      samples.push({
        source: writeAt(root, `${split}/${i}, ä%.png`, content),
        label: i % 2,
        id: `${split}/${i}, ä%.png`,
      });
    }
    return fromSamples({ name: `made up ${split}`, classes: ['no', 'yes'], samples });
  };
  return {
    name: 'made up',
    classes: ['no', 'yes'],
    train: await make('train', 5),
    validation: null,
    test: await make('test', 2),
  };
}

export async function packed(): Promise<{ root: string; file: string; data: DatasetSplits }> {
  const root = newFolder();
  const data = await someSplits(root);
  const file = path.join(root, 'all.pack');
  await preparePacked(data, file);
  return { root, file, data };
}

export async function failure(work: Promise<unknown>): Promise<CovidCtError> {
  const error: unknown = await work.then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(CovidCtError);
  return error as CovidCtError;
}
