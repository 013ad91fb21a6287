/** The report's part on one evaluated split: metrics, curves, mistakes. */
import type { Rate } from '../metrics/intervals';
import { metricRows } from '../metrics/rows';
import type { Evaluation } from '../metrics/types';
import { confusionMatrixChart, misclassifiedHistogram, rocChart } from './charts';
import { chartFigure, element, section, table } from './html-parts';
import type { Cell, Html } from './html-parts';
import { interval, share, splitName } from './format';

/** Rows of the table of mistakes. */
const MISTAKES = 20;

const number = (value: string): Cell => ({ text: value, kind: 'number' });

/** The counts that a rate comes from; none where it comes from no counts, nor beside counts of something else. */
function countsOf({ value, numerator, denominator }: Rate): string {
  if (numerator === null || denominator === null) return '';
  // Older metrics hold pooled counts beside the means over classes.
  const fits = denominator === 0 ? value === null : value !== null && Math.abs(value - numerator / denominator) < 1e-9;
  return fits ? `${numerator}/${denominator}` : '';
}

function rateRow(name: string, value: number | null, rate: Rate): Cell[] {
  return [name, number(share(value)), number(interval(rate.interval)), number(countsOf({ ...rate, value }))];
}

/** The metrics of a split with their 95 % intervals. */
export function metricsTable(evaluation: Evaluation): Html {
  const { loss, n } = evaluation;
  const count = number(String(n));
  const rows = metricRows(evaluation).map(({ title, value, rate, interval: bounds }): Cell[] => {
    if (rate !== null) return rateRow(title, value, rate);
    return [title, number(share(value)), ...(bounds === undefined ? ['', ''] : [number(interval(bounds)), count])];
  });
  return table(
    '',
    ['Metric', number('Value'), number('95 % interval'), number('Images')],
    [...rows, ['Mean loss (cross entropy, nats)', number(loss === null ? 'not defined' : loss.toFixed(4)), '', count]],
  );
}

function mistakes(evaluation: Evaluation): Html {
  const wrong = evaluation.samples
    .filter(({ label, predicted }) => label !== predicted)
    .sort((a, b) => b.probabilities[b.predicted]! - a.probabilities[a.predicted]! || (a.id < b.id ? -1 : 1));
  if (wrong.length === 0)
    return element('p', evaluation.n === 0 ? 'There are no images.' : 'No image was misclassified.', 'class="note"');
  const name = (index: number): string => evaluation.classes[index] ?? String(index);
  const rows = wrong
    .slice(0, MISTAKES)
    .map(({ id, path, label, predicted, probabilities }): Cell[] => [
      { text: path ?? id, kind: 'path' },
      name(label),
      name(predicted),
      number(share(probabilities[predicted])),
    ]);
  const caption =
    wrong.length > MISTAKES
      ? `The ${MISTAKES} most confident of ${wrong.length} mistakes`
      : `All ${wrong.length} mistakes, the most confident first`;
  return table(caption, ['File', 'True', 'Predicted', number('Probability')], rows);
}

function thresholdNote({ threshold, classes }: Evaluation): string {
  if (threshold === null)
    return 'The class with the highest probability is predicted. Metrics by class are against the rest.';
  return (
    `Positive is ${classes[1]}: it is predicted where its probability ` +
    `is ${Number(threshold.toFixed(4))} or more. Intervals are Wilson's for shares and DeLong's for the ` +
    'AUC; they hold for images, not patients, and do not cover the difference between two trainings.'
  );
}

/** Everything of one split under one heading. */
export function evaluationSection(evaluation: Evaluation, heading: string): Html {
  const prefix = heading.toLowerCase().replace(/[^a-z]+/g, '-');
  const name = splitName(evaluation.split);
  const title = name.toLowerCase() === `${heading.toLowerCase()} split` ? `${heading} split` : `${heading}: ${name}`;
  return section(`${title}, ${evaluation.n} images`, [
    metricsTable(evaluation),
    element('p', thresholdNote(evaluation), 'class="note"'),
    element(
      'div',
      [
        chartFigure(rocChart(evaluation), prefix, '', 'square'),
        chartFigure(
          confusionMatrixChart(evaluation),
          prefix,
          'Shade and percentage are shares of the true class.',
          'square shaded',
        ),
      ],
      'class="columns"',
    ),
    chartFigure(misclassifiedHistogram(evaluation), prefix, ''),
    element('h3', 'Most confident mistakes'),
    mistakes(evaluation),
  ]);
}
