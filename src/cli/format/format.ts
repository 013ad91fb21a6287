/** Results in words, for people: an array is a line each. */
import { metricRows } from '../../metrics/rows';
import type { Evaluation, Rate, TrainingHistory } from '../../index';

/** 0.8276 as `82.8 %`; a dash for what is not defined. */
export function percent(value: number | null): string {
  return value === null ? '–' : `${(100 * value).toFixed(1)} %`;
}

/** A rate with the counts it comes from; a mean over classes has none. */
function withInterval({ value, interval, numerator, denominator }: Rate): string {
  if (numerator === null || denominator === null) return percent(value);
  const bounds = interval === null ? '' : `; 95 % interval ${percent(interval[0])} to ${percent(interval[1])}`;
  return `${percent(value)} (${numerator} of ${denominator}${bounds})`;
}

/** Loss and metrics with their intervals, a line each. */
function metricLines(evaluation: Evaluation): string[] {
  const rows = metricRows(evaluation).map(({ title, value, rate, interval }) => {
    if (rate !== null) return [title, withInterval(rate)] as const;
    const bounds = interval ? ` (95 % interval ${interval[0].toFixed(3)} to ${interval[1].toFixed(3)})` : '';
    return [title, `${value === null ? '–' : value.toFixed(3)}${bounds}`] as const;
  });
  const loss = ['Mean loss, nats', evaluation.loss === null ? '–' : evaluation.loss.toFixed(4)] as const;
  const width = Math.max(...rows.map(([title]) => title.length));
  return [loss, ...rows].map(([title, text]) => `  ${title.padEnd(width)}  ${text}`);
}

/** The end of a training. */
export function historyText({ stop, epochs, best, skipped, out }: TrainingHistory): string[] {
  const lines = [`Stopped after ${epochs.length} ${epochs.length === 1 ? 'epoch' : 'epochs'}: ${stop.message}`];
  const unvalidated = epochs.every(({ validationLoss }) => validationLoss === null);
  if (best !== null)
    lines.push(
      best.metric === 'last'
        ? `Kept: the last epoch (${best.epoch})${unvalidated ? '; there was no validation split to choose by' : ''}.`
        : `Best: epoch ${best.epoch}, validation ${best.metric} ${best.value === null ? '–' : best.value.toFixed(4)}.`,
    );
  if (skipped.length > 0)
    lines.push(`Left out: ${skipped.length} ${skipped.length === 1 ? 'file' : 'files'} that could not be decoded.`);
  if (out !== null) lines.push(`Run folder: ${out}`);
  return lines;
}

/** The metrics of a split. */
export function evaluationText(evaluation: Evaluation): string[] {
  const { split, n, threshold, classes, confusionMatrix, skipped } = evaluation;
  const width = Math.max(...classes.map((name) => name.length), 8);
  const row = (cells: readonly (string | number)[]): string =>
    cells.map((cell) => String(cell).padStart(width)).join('  ');
  const operatingPoint =
    threshold === null ? '' : `, ${classes[1]} at a probability of ${threshold.toFixed(3)} or more`;
  return [
    `${split}: ${n} images${operatingPoint}`,
    ...metricLines(evaluation),
    '  Confusion matrix (rows: true class, columns: predicted class)',
    `    ${row(['', ...classes])}`,
    ...confusionMatrix.map((counts, index) => `    ${row([classes[index]!, ...counts])}`),
    ...skipped.map(({ id, reason }) => `  left out: ${id}: ${reason}`),
  ];
}
