/** Results in words, for people: an array is a line each. */
import type { ClassRates, Evaluation, Rate, TrainingHistory } from '../../index';

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

/** Two classes: the rates of the positive one. More: each class against all others, and what are means says so. */
function rateLines({ intervals: { sensitivity, specificity, precision }, classes, perClass }: Evaluation): string[] {
  const lines = (rates: Pick<ClassRates, 'sensitivity' | 'specificity' | 'precision'>, indent: string): string[] => [
    `${indent}sensitivity  ${withInterval(rates.sensitivity)}`,
    `${indent}specificity  ${withInterval(rates.specificity)}`,
    `${indent}precision    ${withInterval(rates.precision)}`,
  ];
  if (classes.length === 2) return lines({ sensitivity, specificity, precision }, '  ');
  return [
    ...(perClass ?? []).flatMap((rates) => [`  ${rates.class}, against all others`, ...lines(rates, '    ')]),
    `  means over the ${classes.length} classes, each against all others`,
    ...lines({ sensitivity, specificity, precision }, '    '),
  ];
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
  const { split, n, loss, threshold, auc, intervals, classes, confusionMatrix, skipped } = evaluation;
  const width = Math.max(...classes.map((name) => name.length), 8);
  const row = (cells: readonly (string | number)[]): string =>
    cells.map((cell) => String(cell).padStart(width)).join('  ');
  const aucInterval =
    intervals.auc === null ? '' : ` (95 % interval ${intervals.auc[0].toFixed(3)} to ${intervals.auc[1].toFixed(3)})`;
  const operatingPoint =
    threshold === null ? '' : `, ${classes[1]} at a probability of ${threshold.toFixed(3)} or more`;
  const mean = classes.length === 2 ? '' : ' (mean over classes, each against all others)';
  return [
    `${split}: ${n} images${operatingPoint}`,
    `  loss         ${loss === null ? '–' : loss.toFixed(4)}`,
    `  accuracy     ${withInterval(intervals.accuracy)}`,
    ...rateLines(evaluation),
    `  AUC          ${auc === null ? '–' : auc.toFixed(3)}${aucInterval}${mean}`,
    '  confusion matrix (rows: true class, columns: predicted class)',
    `    ${row(['', ...classes])}`,
    ...confusionMatrix.map((counts, index) => `    ${row([classes[index]!, ...counts])}`),
    ...skipped.map(({ id, reason }) => `  left out: ${id}: ${reason}`),
  ];
}
