/**
 * No metric stands beside counts it does not come from: random
 * confusion matrices of 2 to 6 classes, as people read them.
 */
import { evaluationText } from '../../../src/cli/format/format';
import { makeDraw } from '../../../src/data/random';
import { METRICS } from '../../../src/metrics/registry';
import { summarize } from '../../../src/metrics/evaluation';
import type { Evaluation } from '../../../src/metrics/types';
import { metricsTable } from '../../../src/report/html-evaluation';

const draw = makeDraw({ seed: 9 });
const whole = (n: number): number => Math.floor(draw() * n);

/** An evaluation whose confusion matrix is this one. */
function evaluationOf(matrix: readonly (readonly number[])[]): Evaluation {
  const classes = matrix.map((_, index) => `class ${'abcdef'[index]}`);
  const samples = matrix.flatMap((row, label) =>
    row.flatMap((count, predicted) =>
      Array.from({ length: count }, (_, index) => ({
        id: `${label}-${predicted}-${index}`,
        path: null,
        label,
        loss: 1,
        probabilities: classes.map((__, index) => (index === predicted ? 0.9 : 0.1 / (classes.length - 1))),
      })),
    ),
  );
  return summarize({ split: 'test', classes, samples });
}

function randomMatrix(): number[][] {
  const classes = 2 + whole(5);
  return Array.from({ length: classes }, () => Array.from({ length: classes }, () => (draw() < 0.3 ? 0 : whole(12))));
}

/** Every rate that is told with counts, as [value as printed, a, b]. */
function printedInText(evaluation: Evaluation): [string, number, number][] {
  return evaluationText(evaluation).flatMap((line) =>
    [...line.matchAll(/(–|[\d.]+ %) \((\d+) of (\d+)/g)].map(
      ([, value, a, b]) => [value!, Number(a), Number(b)] as [string, number, number],
    ),
  );
}

function printedInHtml(evaluation: Evaluation): [string, number, number][] {
  return [
    ...metricsTable(evaluation).html.matchAll(
      /<td class="number">([^<]*)<\/td>\n<td class="number">[^<]*<\/td>\n<td class="number">(\d+)\/(\d+)<\/td>/g,
    ),
  ].map(([, value, a, b]) => [value!, Number(a), Number(b)]);
}

test('every printed rate is the quotient of the counts beside it, and every class of more than two has its own', () => {
  for (let round = 0; round < 300; round += 1) {
    const matrix = randomMatrix();
    const evaluation = evaluationOf(matrix);
    expect(evaluation.confusionMatrix).toEqual(matrix);
    const expected = matrix.length === 2 ? 4 : 1 + 3 * matrix.length;
    const [text, html] = [printedInText(evaluation), printedInHtml(evaluation)];
    expect([text.length, html.length]).toEqual([expected, expected]);
    for (const [value, a, b] of text) expect(value).toBe(b === 0 ? '–' : `${((100 * a) / b).toFixed(1)} %`);
    for (const [value, a, b] of html) expect(value).toBe(b === 0 ? 'not defined' : (a / b).toFixed(3));
  }
});

test('stored rates: value is numerator / denominator, or there are no counts', () => {
  for (let round = 0; round < 300; round += 1) {
    const { intervals, perClass = [], ...evaluation } = evaluationOf(randomMatrix());
    const rates = [
      intervals.accuracy,
      intervals.sensitivity,
      intervals.specificity,
      intervals.precision,
      ...perClass.flatMap((each) => [each.sensitivity, each.specificity, each.precision]),
    ];
    for (const { value, numerator, denominator, interval } of rates) {
      if (numerator === null) expect([denominator, interval]).toEqual([null, null]);
      else expect(value).toBe(denominator === 0 ? null : numerator / denominator!);
    }
    for (const key of ['accuracy', 'sensitivity', 'specificity', 'precision'] as const)
      expect(intervals[key].value).toBe(evaluation[key]);
  }
});

test('three classes: means say that they are means, and stand without counts', () => {
  const lines = evaluationText(
    evaluationOf([
      [10, 2, 0],
      [3, 5, 4],
      [0, 6, 6],
    ]),
  );
  expect(lines.slice(2, 15)).toEqual([
    expect.stringMatching(/^ {2}Accuracy +58\.3 % \(21 of 36; 95 % interval /),
    expect.stringMatching(/^ {2}Sensitivity, class a against the rest +83\.3 % \(10 of 12; /),
    expect.stringMatching(/^ {2}Specificity, class a against the rest +87\.5 % \(21 of 24; /),
    expect.stringMatching(/^ {2}Precision, class a against the rest +76\.9 % \(10 of 13; /),
    expect.stringMatching(/class b .*41\.7 % \(5 of 12; /),
    expect.stringMatching(/class b .*66\.7 % \(16 of 24; /),
    expect.stringMatching(/class b .*38\.5 % \(5 of 13; /),
    expect.stringMatching(/class c .*50\.0 % \(6 of 12; /),
    expect.stringMatching(/class c .*83\.3 % \(20 of 24; /),
    expect.stringMatching(/class c .*60\.0 % \(6 of 10; /),
    expect.stringMatching(/^ {2}Sensitivity, mean over classes +58\.3 %$/),
    expect.stringMatching(/^ {2}Specificity, mean over classes +79\.2 %$/),
    expect.stringMatching(/^ {2}Precision, mean over classes +58\.5 %$/),
  ]);
  for (const { title } of METRICS) expect(lines.some((line) => line.startsWith(`  ${title}`))).toBe(true);
});

test('a report of an earlier version, whose pooled counts stand beside means, shows the means without them', () => {
  const now = evaluationOf([
    [10, 2, 0],
    [3, 5, 4],
    [0, 6, 6],
  ]);
  const pooled = { ...now.intervals.precision, numerator: 21, denominator: 36 };
  const html = metricsTable({ ...now, perClass: undefined, intervals: { ...now.intervals, precision: pooled } }).html;
  expect(html).toContain(
    'Precision, mean over classes</th>\n<td class="number">0.585</td>\n' +
      '<td class="number"></td>\n<td class="number"></td>',
  );
});
