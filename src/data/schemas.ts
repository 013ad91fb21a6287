/** Data sets, samples and pixels as arguments: the schemas look, and change nothing. */
import { types } from 'node:util';
import { LEFT_OUT_REASONS } from '../files/left-out';
import { faultless, isObject, listFault, pathFault, textFault, within, wrong } from '../options/atoms';
import type { Fault } from '../options/atoms';
import type { Dataset, DatasetSplits, Pixels } from './types';

/** What is wrong with decoded pixels. */
export function pixelsFault(value: unknown): Fault | null {
  if (!isObject(value)) return wrong('expected pixels: { data, width, height } of RGB');
  const { data, width, height } = value;
  for (const [key, side] of [
    ['width', width],
    ['height', height],
  ] as const) {
    if (!Number.isSafeInteger(side) || (side as number) < 1)
      return wrong('expected a whole number of pixels, at least 1', key);
  }
  const wanted = (width as number) * (height as number) * 3;
  if (types.isUint8Array(data) && data.length === wanted) return null;
  return wrong(`expected a Uint8Array of height x width x 3 bytes, ${String(wanted)}`, 'data');
}

/** Decoded pixels, RGB. */
export const pixelsSchema = faultless<Pixels>(pixelsFault);

/** What may be the source of a sample; everything else is made one of these before. */
export function isSampleSource(value: unknown): boolean {
  return (
    pathFault(value) === null ||
    types.isUint8Array(value) ||
    (isObject(value) && typeof value['readPixels'] === 'function')
  );
}

function sampleFault(value: unknown): Fault | null {
  if (!isObject(value)) return wrong('expected a sample: { id, source, label }');
  if (typeof value['id'] !== 'string') return wrong('expected a text', 'id');
  if (typeof value['label'] !== 'number') return wrong('expected the index of a class', 'label');
  if (value['origin'] !== undefined && typeof value['origin'] !== 'string') return wrong('expected a text', 'origin');
  if (value['group'] !== undefined && typeof value['group'] !== 'string') return wrong('expected a text', 'group');
  return isSampleSource(value['source'])
    ? null
    : wrong('expected a path, bytes of an encoded image, or an image of a packed data set', 'source');
}

/** What is wrong with a list of what was left out; nothing where there is none. */
function leftOutFault(value: unknown): Fault | null {
  if (value === undefined) return null;
  return listFault(value, 'what was left out', (entry) => {
    if (
      !isObject(entry) ||
      !(LEFT_OUT_REASONS as readonly unknown[]).includes(entry['reason']) ||
      !Number.isSafeInteger(entry['count'])
    )
      return wrong('expected { reason, count, examples }');
    return within(
      'examples',
      listFault(entry['examples'], 'texts', (text) => (typeof text === 'string' ? null : wrong('expected a text'))),
    );
  });
}

/** What is wrong with one split of a data set; whether its labels are in range is for {@link DatasetError} to say. */
export function datasetFault(value: unknown): Fault | null {
  const advice = 'expected a data set with classes and samples, e.g. (await openDataset(dir)).train';
  if (!isObject(value)) return wrong(advice);
  if (value['samples'] === undefined && isObject(value['train']))
    return wrong('expected one split of the data set: its train, validation or test');
  if (!Array.isArray(value['samples']) || !Array.isArray(value['classes'])) return wrong(advice);
  if (typeof value['name'] !== 'string') return wrong('expected a text', 'name');
  return (
    within('leftOut', leftOutFault(value['leftOut'])) ??
    within('classes', listFault(value['classes'], 'class names', textFault)) ??
    within('samples', listFault(value['samples'], 'samples', sampleFault))
  );
}

/** One split of a data set. */
export const datasetSchema = faultless<Dataset>(datasetFault);

/** A data set in its parts. */
export const splitsSchema = faultless<DatasetSplits>((value) => {
  const advice = 'expected a data set with its splits, e.g. await openDataset(dir)';
  if (!isObject(value)) return wrong(advice);
  if (value['train'] === undefined || value['train'] === null) return wrong(advice);
  if (typeof value['name'] !== 'string') return wrong('expected a text', 'name');
  const classes = within('classes', listFault(value['classes'], 'class names', textFault));
  if (classes !== null) return classes;
  const told =
    within('leftOut', leftOutFault(value['leftOut'])) ??
    (value['notes'] === undefined ? null : within('notes', listFault(value['notes'], 'texts', textFault)));
  if (told !== null) return told;
  for (const split of ['train', 'validation', 'test']) {
    const part = value[split];
    const fault = part === null || part === undefined ? null : datasetFault(part);
    if (fault !== null) return within(split, fault);
  }
  return null;
});
