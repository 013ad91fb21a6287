/** What was done to the pixels when they were packed is a part of the transforms and of the fingerprint. */
import { datasetFingerprint } from '../../../../src/data/fingerprint';
import { aspectEval, tutorialEval, tutorialTrain } from '../../../../src/data/transforms/presets';
import { withPackedResize, packedResize } from '../../../../src/data/packed/packed-resize';
import type { Dataset, PixelSource } from '../../../../src/data/types';
import { DatasetError } from '../../../../src/errors';
import { resize } from '../../../../src/data/transforms/steps/resize';

function source(resized: number | null): PixelSource {
  return {
    name: 'made up',
    resize: resized,
    readPixels: () => Promise.resolve({ data: new Uint8Array(3), height: 1, width: 1 }),
  };
}

function dataset(...resized: (number | null | 'file')[]): Dataset {
  return {
    name: 'made up',
    classes: ['a'],
    samples: resized.map((each, i) => ({ id: String(i), label: 0, source: each === 'file' ? 'a.png' : source(each) })),
  };
}

test('all images must be of one kind', () => {
  expect([
    packedResize([]),
    packedResize([dataset()]),
    packedResize([dataset('file', 'file')]),
    packedResize([dataset(null)]),
    packedResize([dataset('file', null)]),
  ]).toEqual([null, null, null, null, null]);
  expect(packedResize([dataset(256, 256), dataset(256)])).toBe(256);
  for (const mixed of [
    [dataset(256, 'file')],
    [dataset('file', 256)],
    [dataset(256), dataset(128)],
    [dataset(null), dataset(128)],
  ])
    expect(() => packedResize(mixed)).toThrow(DatasetError);
  expect(() => packedResize([dataset(256, 'file')])).toThrow(
    /1 is as it was decoded, the ones before it are resized to a shorter side of 256/,
  );
});

test('the resize comes first, once', () => {
  const transform = tutorialEval();
  expect(withPackedResize(transform, null)).toBe(transform);
  expect(withPackedResize(transform, 256).steps).toEqual([resize(256), ...transform.steps]);
  for (const begins of [tutorialTrain(), aspectEval()]) expect(withPackedResize(begins, 256)).toBe(begins);
  expect(withPackedResize(tutorialTrain(), 300).steps.slice(0, 2)).toEqual([resize(300), resize(256)]);
});

test('resized images are other data, untouched ones are the originals', () => {
  const prints = [dataset('file'), dataset(null), dataset(256), dataset(128)].map(datasetFingerprint);
  expect(prints[1]).toBe(prints[0]);
  expect(new Set(prints).size).toBe(3);
});
