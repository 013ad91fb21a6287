/** Gathers the plain data of a report from a run folder and writes `report.html`. */
import { readFile } from 'node:fs/promises';
import type { Evaluation, RunConfig, RunFolder, StoredHistory } from '../index';
import { renderReport } from '../report/html';
import type { GradCamGroup, ReportData, ReportMontage, ReportSplit } from '../report/types';
import type { PictureFacts } from './run-report';

/** Writes the report. Gives its path. */
export async function writeReport(folder: RunFolder, history: StoredHistory, metrics: Readonly<Record<string, Evaluation>>, facts: PictureFacts | null): Promise<string> {
  const config = await folder.config();
  const card = await folder.card();
  const data: ReportData = {
    title: `${config.model.architecture} on ${config.data.train.name.replace(/ train$/, '')}`,
    created: new Date().toISOString(),
    config: config.options,
    model: { ...config.model, ...(card === null ? { weights: 'none were kept' } : { origin: card.origin, threshold: card.threshold, weights: card.weights }) },
    dataset: { name: config.data.train.name.replace(/ train$/, ''), splits: splitsOf(config, facts) },
    history: history.epochs,
    validation: metrics.validation ?? null,
    test: metrics.test ?? null,
    montages: facts === null ? [] : await Promise.all(facts.samples.map(async ({ file, title, caption }): Promise<ReportMontage> => ({ title, caption, png: await picture(folder, file) }))),
    gradCam: facts?.gradCam ? { layer: facts.gradCam.layer, groups: await groupsOf(folder, facts.gradCam.groups) } : null,
    versions: config.versions,
    stop: history.stop === null ? null : { reason: history.stop.reason, message: history.stop.message },
    skipped: history.events.flatMap((event) => (event.type === 'skipped' ? [{ split: event.split, id: event.id, reason: event.reason }] : [])),
    notes: notesOf(facts),
  };
  await folder.write('report.html', renderReport(data));
  return folder.file('report.html');
}

function splitsOf({ data }: RunConfig, facts: PictureFacts | null): ReportSplit[] {
  const split = (name: string, { samples: n, classes: perClass }: RunConfig['data']['train']): ReportSplit => ({ name, n, perClass });
  const own = [split('train', data.train), ...(data.validation === null ? [] : [split('validation', data.validation)])];
  return facts === null || own.some(({ name }) => name === facts.split.name) ? own : [...own, facts.split];
}

async function groupsOf(folder: RunFolder, groups: NonNullable<PictureFacts['gradCam']>['groups']): Promise<GradCamGroup[]> {
  return Promise.all(groups.map(async ({ kind, file, count, threshold, shown }) => ({ kind, count, threshold, shown, png: file === null ? null : await picture(folder, file) })));
}

function notesOf(facts: PictureFacts | null): string[] {
  if (!facts?.gradCam) return [];
  const notes = facts.gradCam.groups.flatMap((group) => (group.note === null ? [] : [group.note]));
  return [`The Grad-CAM montages are of the ${facts.gradCam.split} split.`, ...notes];
}

async function picture(folder: RunFolder, file: string): Promise<Uint8Array> {
  return readFile(folder.file('pictures', file));
}
