/** The benchmark's rows as text and tables for people. */
import type { BenchRow, Spread as BenchSpread } from '../../bench/index';

type Row<T extends BenchRow['type']> = Extract<BenchRow, { type: T }>;

/** Width of the contenders' titles. */
const TITLE = 31;

/** Columns as wide as their widest cell: the first to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0))) ?? [];
  return rows.map((cells) =>
    cells
      .map((text, column) =>
        column === 0 ? text.padEnd(Math.max(TITLE, widths[0] ?? 0)) : text.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
}

/** Four significant digits at most, no exponent. */
function figure(value: number): string {
  return value >= 1000 ? value.toFixed(0) : value >= 100 ? value.toFixed(1) : value.toFixed(2);
}

function spread(value: BenchSpread | null, word: (one: number) => string): string {
  if (value === null) return '–';
  return value.least === value.most
    ? word(value.median)
    : `${word(value.median)} (${word(value.least)}–${word(value.most)})`;
}

const ratio = (value: BenchSpread | null): string => spread(value, (one) => one.toFixed(2));
const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);

/** Machine, versions and what is the same for all. */
export function settingText({ machine, versions, threads, imageSize, rounds }: Row<'setting'>): string[] {
  const memory = `${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB`;
  return [
    `machine   ${machine.cpu}, ${machine.cores} cores, ${machine.instructionSet}, ${memory}, ${machine.platform}`,
    `versions  ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
    `setting   ${threads} threads, ${imageSize} × ${imageSize} pixels, ` +
      `float32, ${rounds} rounds, each contender in a process of its own, in turn`,
    '',
  ];
}

/** Who was found, or why not; `told` are the reasons that were given already. */
export function contenderLine({ title, found, problem }: Row<'contender'>, told: readonly string[]): string {
  const why = problem !== null && told.includes(problem) ? 'missing for the same reason' : `missing: ${problem}`;
  return `${title.padEnd(TITLE)}  ${found ? 'found' : why}`;
}

/** What the machine reaches. */
export function ceilingsText({ matrixProducts, copyGigabytesPerSecond, problem }: Row<'ceilings'>): string[] {
  if (matrixProducts === null || copyGigabytesPerSecond === null) return ['', `ceilings  not measured: ${problem}`];
  const products = matrixProducts.map(
    ({ size, gigaflopsPerSecond }) => `${gigaflopsPerSecond.toFixed(0)} GFLOP/s (${size})`,
  );
  const copy = `copy ${copyGigabytesPerSecond.toFixed(1)} GB/s (read and written)`;
  return ['', `ceilings  matrix product ${products.join(', ')}; ${copy}`];
}

const HEADINGS = { train: 'training step', predict: 'prediction', cold: 'cold start to the first prediction' } as const;

/** One measurement as a table, with what failed below it. */
export function resultTable(row: Row<'result'>, { memory }: { readonly memory: boolean }): string[] {
  const { architecture, mode, batchSize, imageSize, contenders, bestPeer, toBestPeer } = row;
  const warm = mode !== 'cold';
  const heading = [
    HEADINGS[mode],
    'ms (least–most)',
    '/ PyTorch eager',
    '/ best peer',
    ...(warm ? ['GFLOP/s', 'of max'] : []),
    ...(warm && memory ? ['peak MiB', '/ PyTorch eager'] : []),
    'difference',
  ];
  const lines = contenders.map((each) => [
    each.title,
    spread(each.time, figure),
    ratio(each.timeToPyTorch),
    each.contender === 'ours' ? ratio(toBestPeer) : each.contender === bestPeer ? 'best peer' : '',
    ...(warm
      ? [
          each.gigaflopsPerSecond?.toFixed(0) ?? '–',
          each.shareOfMatrixProduct === null ? '–' : `${(each.shareOfMatrixProduct * 100).toFixed(0)} %`,
        ]
      : []),
    ...(warm && memory
      ? [each.peakBytes === null ? '–' : mebibytes(each.peakBytes.median), ratio(each.peakToPyTorch)]
      : []),
    each.contender === row.reference ? 'reference' : (each.difference?.toExponential(1) ?? '–'),
  ]);
  const notes = contenders.flatMap(({ title, problem, agrees }) => [
    ...(problem === null ? [] : [`${title}: ${problem}`]),
    ...(agrees ? [] : [`${title}: computes something else, so it is no peer`]),
  ]);
  return [
    '',
    `${architecture}, batch ${batchSize}, ${imageSize} × ${imageSize} pixels`,
    ...table([heading, ...lines]),
    ...notes,
  ];
}

/** Which targets are met; the last table. */
export function targetsTable(rows: readonly Row<'target'>[]): string[] {
  const cells = rows.map(({ architecture, text, against, limit, ratio: value, met }) => [
    `${architecture}: ${text}`,
    against ?? 'a peer that is missing',
    `at most ${limit.toFixed(2)}`,
    ratio(value),
    met === null ? 'not measured' : met ? 'met' : 'NOT MET',
  ]);
  return [
    '',
    ...(cells.length === 0
      ? ['no target is set for what was measured']
      : table([['targets, judged by the median', 'ours /', 'limit', 'ratio (least–most)', ''], ...cells])),
  ];
}
