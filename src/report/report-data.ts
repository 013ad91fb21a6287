/** Gathers the plain data of a report from what lies in a run folder. */
import { readFile } from 'node:fs/promises';
import { fileError } from '../files/write';
import type { LeftOut } from '../files/left-out';
import type { Evaluation } from '../metrics/types';
import type { StoredHistory } from '../train/history';
import type { RunFolder } from '../train/run-folder';
import type { RunConfig } from '../train/run-schema';
import type { PictureFacts } from './types';
import type { GradCamGroup, ReportData, ReportMontage, ReportSplit } from './types';

/** What has been read of a run already. */
export interface RunContents {
  readonly history: StoredHistory;
  /** By split. */
  readonly metrics: Readonly<Record<string, Evaluation>>;
  readonly facts: PictureFacts | null;
}

/**
 * Everything the report of a run tells.
 *
 * @throws CovidCtError ERR_RUN_FOLDER when a file is missing or damaged
 */
export async function gatherReport(folder: RunFolder, { history, metrics, facts }: RunContents): Promise<ReportData> {
  const config = await folder.config();
  const card = await folder.card();
  const name = config.data.train.name.replace(/ train$/, '');
  return {
    title: `${config.model.architecture} on ${name}`,
    created: new Date().toISOString(),
    config: config.options,
    model: {
      ...config.model,
      ...(card === null
        ? { weights: 'none were kept' }
        : { origin: card.origin, threshold: card.threshold, weights: card.weights }),
    },
    dataset: { name, splits: splitsOf(config, facts) },
    history: history.epochs,
    validation: metrics.validation ?? null,
    test: metrics.test ?? null,
    montages:
      facts === null
        ? []
        : await Promise.all(
            facts.samples.map(async ({ file, title, caption }): Promise<ReportMontage> => ({
              title,
              caption,
              png: await picture(folder, file),
            })),
          ),
    gradCam: facts?.gradCam ? { ...facts.gradCam, groups: await groupsOf(folder, facts.gradCam.groups) } : null,
    versions: config.versions,
    stop: history.stop === null ? null : { reason: history.stop.reason, message: history.stop.message },
    leftOut: leftOutOf(config, metrics),
    skipped: history.events.flatMap((event) =>
      event.type === 'skipped' ? [{ split: event.split, id: event.id, reason: event.reason }] : [],
    ),
  };
}

/** The files left out of the run's own splits, and of the test split where it was evaluated. */
function leftOutOf({ data }: RunConfig, { test }: RunContents['metrics']): NonNullable<ReportData['leftOut']> {
  const of = (split: string, leftOut: readonly LeftOut[] | undefined) =>
    (leftOut ?? []).map((entry) => ({ split, ...entry }));
  return [
    ...of('train', data.train.leftOut),
    ...of('validation', data.validation?.leftOut),
    ...of('test', test?.leftOut),
  ];
}

function splitsOf({ data }: RunConfig, facts: PictureFacts | null): ReportSplit[] {
  const split = (name: string, { samples: n, classes: perClass }: RunConfig['data']['train']): ReportSplit => ({
    name,
    n,
    perClass,
  });
  const own = [split('train', data.train), ...(data.validation === null ? [] : [split('validation', data.validation)])];
  return facts === null || own.some(({ name }) => name === facts.split.name) ? own : [...own, facts.split];
}

async function groupsOf(
  folder: RunFolder,
  groups: NonNullable<PictureFacts['gradCam']>['groups'],
): Promise<GradCamGroup[]> {
  return Promise.all(
    groups.map(async ({ file, ...group }) => ({ ...group, png: file === null ? null : await picture(folder, file) })),
  );
}

async function picture(folder: RunFolder, file: string): Promise<Uint8Array> {
  const path = folder.file('pictures', file);
  return readFile(path).catch((error: unknown) => {
    throw fileError('read it', path, error);
  });
}
