/** Results in words, for people: an array is a line each. */
import type { Evaluation, Rate, TrainingHistory } from '../index';

/** 0.8276 as `82.8 %`; a dash for what is not defined. */
export function percent(value: number | null): string {
  return value === null ? '–' : `${(100 * value).toFixed(1)} %`;
}

function withInterval({ value, interval, numerator, denominator }: Rate): string {
  const counts = `${numerator} of ${denominator}`;
  return interval === null ? `${percent(value)} (${counts})` : `${percent(value)} (${counts}; 95 % interval ${percent(interval[0])} to ${percent(interval[1])})`;
}

/** The end of a training. */
export function historyText({ stop, epochs, best, skipped, out }: TrainingHistory): string[] {
  const lines = [`Stopped after ${epochs.length} ${epochs.length === 1 ? 'epoch' : 'epochs'}: ${stop.message}`];
  if (best !== null) lines.push(best.metric === 'last' ? `Kept: the last epoch (${best.epoch}); there was no validation split to choose by.` : `Best: epoch ${best.epoch}, validation ${best.metric} ${best.value === null ? '–' : best.value.toFixed(4)}.`);
  if (skipped.length > 0) lines.push(`Left out: ${skipped.length} files that could not be decoded.`);
  if (out !== null) lines.push(`Run folder: ${out}`);
  return lines;
}

/** The figures of a split. */
export function evaluationText(evaluation: Evaluation): string[] {
  const { split, n, loss, threshold, auc, intervals, classes, confusionMatrix, skipped } = evaluation;
  const width = Math.max(...classes.map((name) => name.length), 8);
  const row = (cells: readonly (string | number)[]): string => cells.map((cell) => String(cell).padStart(width)).join('  ');
  const aucInterval = intervals.auc === null ? '' : ` (95 % interval ${intervals.auc[0].toFixed(3)} to ${intervals.auc[1].toFixed(3)})`;
  return [
    `${split}: ${n} images${threshold === null ? '' : `, ${classes[1]} at a probability of ${threshold.toFixed(3)} or more`}`,
    `  loss         ${loss === null ? '–' : loss.toFixed(4)}`,
    `  accuracy     ${withInterval(intervals.accuracy)}`,
    `  sensitivity  ${withInterval(intervals.sensitivity)}`,
    `  specificity  ${withInterval(intervals.specificity)}`,
    `  precision    ${withInterval(intervals.precision)}`,
    `  AUC          ${auc === null ? '–' : auc.toFixed(3)}${aucInterval}`,
    '  confusion matrix (rows: true class, columns: answer)',
    `    ${row(['', ...classes])}`,
    ...confusionMatrix.map((counts, index) => `    ${row([classes[index] as string, ...counts])}`),
    ...skipped.map(({ id, reason }) => `  left out: ${id}: ${reason}`),
  ];
}
