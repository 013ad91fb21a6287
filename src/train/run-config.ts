/** What the folder of a run says of its training: options, model, data and versions. */
import { countClasses } from '../data/splits';
import { datasetFingerprint, datasetSizes, orderFingerprint } from '../data/fingerprint';
import type { Dataset } from '../data/types';
import { mergeLeftOut } from '../files/left-out';
import type { LeftOut } from '../files/left-out';
import type { RunFolder } from './run-folder';
import type { DataSummary } from './run-schema';
import type { TrainingRequest } from './training-request';

/** The configuration as it is given to be written. */
export type NewConfig = Parameters<RunFolder['writeConfig']>[0];

/** Options as they come back from the run folder. */
export function asStored(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(options)) as Record<string, unknown>;
}

/** Returns what the run folder says of a training before it begins. */
export async function configOf(request: TrainingRequest): Promise<NewConfig> {
  const { network, train, validation, options, trainTransform, evalTransform, dataSource } = request;
  const { architecture, classes, device, dropout, precision, convolution, channels, threads, belongings, versions } =
    network;
  return {
    options: { ...options, trainTransform, evalTransform },
    model: {
      architecture,
      classes,
      device,
      dropout,
      precision,
      convolution,
      channels,
      threads,
      startedFrom: belongings.origin,
    },
    data: {
      train: await summary(train),
      validation: validation === null ? null : await summary(validation),
      ...(dataSource === undefined ? {} : { source: dataSource }),
    },
    versions,
  };
}

/** Absent where nothing was left out. */
export function leftOutOf(...datasets: readonly (Dataset | null)[]): { leftOut?: readonly LeftOut[] } {
  const leftOut = mergeLeftOut(...datasets.map((dataset) => dataset?.leftOut));
  return leftOut.length === 0 ? {} : { leftOut };
}

async function summary(dataset: Dataset): Promise<DataSummary> {
  const sizes = await datasetSizes(dataset);
  return {
    name: dataset.name,
    samples: dataset.samples.length,
    classes: countClasses(dataset),
    fingerprint: datasetFingerprint(dataset),
    order: orderFingerprint(dataset),
    ...(sizes === null ? {} : { sizes }),
    ...leftOutOf(dataset),
  };
}
