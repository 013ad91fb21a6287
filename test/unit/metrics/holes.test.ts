/** A list with holes is no matrix of counts: it is refused at the first hole, however long it is. */
import { balancedAccuracy, binaryCounts, matthewsCorrelation, overallAccuracy } from '../../../src/metrics/rates';

const matrix = new Array<number[]>(1_000_000_000);

test.each([
  ['matthewsCorrelation', matthewsCorrelation],
  ['balancedAccuracy', balancedAccuracy],
  ['overallAccuracy', overallAccuracy],
  ['binaryCounts', (rows: number[][]) => binaryCounts(rows, 1)],
] as const)('%s', (_, metric) => {
  expect(() => metric(matrix)).toThrow(expect.objectContaining({ code: 'ERR_METRICS' }));
});
