/** The report as one HTML file that needs neither network nor script. */
import { INTENDED_USE } from '../intended-use';
import { leftOutReasonText } from '../files/left-out';
import { EPOCH_METRICS, validationKey } from '../metrics/registry';
import type { EpochRecord } from '../log/types';
import { checkArgument } from '../options/check';
import { accuracyCurve, lossCurve } from './charts';
import { escapeXml } from './escape';
import { evaluationSection } from './html-evaluation';
import { chartFigure, element, join, pictureFigure, section, table } from './html-parts';
import type { Cell, Html } from './html-parts';
import { STYLE } from './html-style';
import { reportDataSchema } from './schema';
import type { GradCamGroup, GradCamKind, ReportData } from './types';
import { share, splitName } from './format';

const number = (value: string): Cell => ({ text: value, kind: 'number' });

const KINDS: Readonly<Record<GradCamKind, string>> = {
  truePositive: 'True positives',
  falsePositive: 'False positives',
  trueNegative: 'True negatives',
  falseNegative: 'False negatives',
};

function valueText(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  return JSON.stringify(value) ?? '–';
}

/** Nested objects as dotted names; lists stay as they are. */
function flatten(object: Readonly<Record<string, unknown>>, prefix = ''): [string, string][] {
  return Object.entries(object).flatMap(([key, value]): [string, string][] => {
    const plain = typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
    return plain
      ? flatten(value as Record<string, unknown>, `${prefix}${key}.`)
      : [[`${prefix}${key}`, valueText(value)]];
  });
}

function factsTable(caption: string, facts: Readonly<Record<string, unknown>>): Html | null {
  const rows = flatten(facts).map(([name, value]): Cell[] => [name, { text: value, kind: 'value' }]);
  return rows.length === 0 ? null : table(caption, [], rows);
}

function dataSection({ dataset, montages }: ReportData): Html {
  const classes = [...new Set(dataset.splits.flatMap(({ perClass }) => Object.keys(perClass)))];
  const rows = dataset.splits.map(({ name, n, perClass }): Cell[] => [
    name,
    number(String(n)),
    ...classes.map((label) => number(perClass[label] === undefined ? '–' : String(perClass[label]))),
  ]);
  return section('Data', [
    element('p', dataset.name),
    rows.length === 0
      ? element('p', 'No split is recorded.', 'class="note"')
      : table('Images', ['Split', number('All'), ...classes.map((label) => number(label))], rows),
    ...montages.flatMap(({ title, png, caption }) => [element('h3', title), pictureFigure(png, title, caption)]),
  ]);
}

function trainingTable(history: readonly EpochRecord[]): Html | null {
  const last = history.at(-1);
  if (last === undefined) return null;
  const best = history.findLast((record) => record.best);
  // What the best epoch can be chosen by, where this run has it.
  const shown = EPOCH_METRICS.filter(
    ({ key, selects }) =>
      selects === true &&
      (key === 'accuracy' || key === 'auc' || history.some((each) => typeof each[validationKey(key)] === 'number')),
  );
  const seconds = history.reduce((sum, record) => sum + record.seconds, 0);
  const row = (name: string, record: EpochRecord): Cell[] => [
    `${name}: ${record.epoch}`,
    ...[
      record.trainLoss,
      record.validationLoss,
      record.trainAccuracy,
      ...shown.map(({ key }) => record[validationKey(key)] ?? null),
    ].map((value) => number(share(value))),
    number(String(Number(record.learningRate.toPrecision(6)))),
  ];
  const head = [
    'Epoch',
    ...['Train loss', 'Val. loss', 'Train accuracy'].map(number),
    ...shown.map(({ title }) => number(`Val. ${title === 'Accuracy' ? 'accuracy' : title}`)),
    number('Learning rate'),
  ];
  return table(`${history.length} epochs in ${(seconds / 60).toFixed(1)} minutes`, head, [
    ...(best === undefined ? [] : [row('best', best)]),
    row('last', last),
  ]);
}

function trainingSection({ history, stop }: ReportData): Html {
  return section('Training', [
    stop === null ? null : element('p', `Ended (${stop.reason}): ${stop.message}`),
    trainingTable(history),
    element(
      'div',
      [chartFigure(lossCurve(history), 'training', ''), chartFigure(accuracyCurve(history), 'training', '')],
      'class="columns"',
    ),
  ]);
}

/** Which images of a kind are shown where some were let go. */
function mostConfident(shown: number, count: number): string {
  if (shown < count) return `The ${shown === 1 ? '' : `${shown} `}most confident of ${count}`;
  return count === 1 ? 'The only one' : `All ${count}, the most confident first`;
}

function gradCamFigure(group: GradCamGroup): Html {
  const { count, shown = count, letGo } = group;
  const above = `probability of the predicted class above ${group.threshold}`;
  const remark = group.note === undefined || group.note === null || group.note === '' ? '' : ` ${group.note}`;
  const heading = element('h3', `${KINDS[group.kind]} (${count})`);
  if (group.png === null)
    return join([
      heading,
      element(
        'p',
        count === 0 ? `None: no image of this kind with a ${above}.${remark}` : `Not drawn.${remark}`,
        'class="note"',
      ),
    ]);
  const some = letGo?.above === 0 ? 'none' : `only ${letGo?.above}`;
  const chosen =
    letGo === undefined
      ? `${shown === count ? count : `${shown} of ${count}`} with a ${above}`
      : `${mostConfident(shown, count)}; ${some} above ${letGo.threshold}`;
  return join([
    heading,
    pictureFigure(
      group.png,
      `Grad-CAM, ${KINDS[group.kind].toLowerCase()}`,
      `${chosen}. The brighter the color, the more the place spoke for the ` +
        `predicted class; each map is scaled to its own maximum.${remark}`,
    ),
  ]);
}

function gradCamSection({ gradCam }: ReportData): Html {
  if (gradCam === null) return section('Grad-CAM', [element('p', 'No Grad-CAM was made.', 'class="note"')]);
  return section('Grad-CAM', [
    element(
      'p',
      `${gradCam.split === undefined ? '' : `Images of the ${splitName(gradCam.split)}. `}Layer ${gradCam.layer}. ` +
        `Each map shows where the activations that raise the predicted class's logit lie; it does not show that ` +
        'the place is diseased.',
      'class="note"',
    ),
    ...gradCam.groups.map(gradCamFigure),
  ]);
}

/** What was left out before it was decoded. */
function leftOutTable({ leftOut = [] }: ReportData): Html | null {
  if (leftOut.length === 0) return null;
  const rows = leftOut.map((entry): Cell[] => [
    splitName(entry.split),
    number(String(entry.count)),
    leftOutReasonText(entry),
    { text: `${entry.examples.join(', ')}${entry.count > entry.examples.length ? ', ...' : ''}`, kind: 'path' },
  ]);
  return table('Left out by the reader of the data set', ['Split', number('Files'), 'Reason', 'For example'], rows);
}

function skippedSection(data: ReportData): Html {
  const { skipped, validation, test } = data;
  const all = [
    ...(skipped ?? []),
    ...[validation, test].flatMap((evaluation) =>
      (evaluation?.skipped ?? []).map(({ id, reason }) => ({ split: evaluation!.split, id, reason })),
    ),
  ];
  // A file of the validation split is met again in every evaluation.
  const once = [...new Map(all.map((file) => [`${file.split}\n${file.id}`, file])).values()];
  const before = leftOutTable(data);
  if (once.length === 0)
    return section('Files left out', [
      before,
      element('p', `${before === null ? 'None: every' : 'Every'} listed file was decoded.`, 'class="note"'),
    ]);
  return section('Files left out', [
    before,
    table(
      `${once.length} could not be decoded and count in no metric`,
      ['File', 'Split', 'Reason'],
      once.map(({ split, id, reason }): Cell[] => [{ text: id, kind: 'path' }, split, { text: reason, kind: 'value' }]),
    ),
  ]);
}

function body(data: ReportData): Html {
  const { test, validation } = data;
  return element('main', [
    element('header', [element('h1', data.title), element('p', `Made ${data.created}`, 'class="meta"')]),
    element('p', INTENDED_USE, 'class="warning" role="note"'),
    ...(data.notes ?? []).map((remark) => element('p', remark)),
    test === null
      ? section('Test', [element('p', 'The test split was not evaluated.', 'class="note"')])
      : evaluationSection(test, 'Test'),
    validation === null
      ? section('Validation', [element('p', 'No validation split was evaluated.', 'class="note"')])
      : evaluationSection(validation, 'Validation'),
    gradCamSection(data),
    trainingSection(data),
    dataSection(data),
    section('Configuration', [
      element(
        'div',
        [factsTable('Model', data.model ?? {}), factsTable('Options', data.config)].filter((part) => part !== null),
        'class="columns"',
      ),
    ]),
    skippedSection(data),
    section('Versions', [factsTable('', data.versions)]),
    element('footer', element('p', INTENDED_USE, 'class="meta"')),
  ]);
}

/**
 * The report as one self-contained HTML document: metrics with 95 % intervals, curves, ROC, confusion matrix, mistakes,
 * Grad-CAM, data, configuration, files left out, versions. No script, no request to any network; all text is escaped.
 * The same data makes the same document.
 *
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { RunFolder } from 'covidct-torch';
 * import { renderReport } from 'covidct-torch/report';
 *
 * const run = await RunFolder.open('runs/first');
 * const html = renderReport({
 *   title: 'A report of my own',
 *   created: new Date().toISOString(),
 *   config: {},
 *   dataset: { name: 'scans', splits: [] },
 *   history: (await run.history()).epochs,
 *   validation: null,
 *   test: (await run.metrics()).test ?? null,
 *   montages: [],
 *   gradCam: null,
 *   versions: {},
 *   stop: null,
 *   skipped: [],
 *   notes: [],
 * });
 * await writeFile('report.html', html);
 * ```
 */
export function renderReport(data: ReportData): string {
  checkArgument(reportDataSchema, data, 'renderReport', 'data');
  // Belt and braces: were anything in the page ever to ask the network, the browser would refuse.
  const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="generator" content="covidct-torch">
<title>${escapeXml(data.title)}</title>
<style>${STYLE}</style>
</head>
<body>
${body(data).html}
</body>
</html>
`;
}
