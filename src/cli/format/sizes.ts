/** Memory of architectures as a table for people. */
import type { ArchitectureSizes, MemoryUse } from '../../bench/index';

const NAME = 13;

function mebibytes(bytes: number | null): string {
  return bytes === null ? 'failed' : (bytes / 2 ** 20).toFixed(0);
}

/** Peak of the process, and in brackets what of it came with the network. */
function use({ peakBytes, baselineBytes }: MemoryUse): string {
  return peakBytes === null ? 'failed' : `${mebibytes(peakBytes)} (${mebibytes(peakBytes - baselineBytes!)})`;
}

function line(cells: readonly string[]): string {
  return cells
    .map((text, index) => (index === 0 ? text.padEnd(NAME) : text.padStart(index < 3 ? 10 : 15)))
    .join(' ')
    .trimEnd();
}

/** The heading of the table. */
export function sizesHeading({
  imageSize = 224,
  batchSize = 8,
  predictBatchSize = 1,
  python,
}: {
  imageSize?: number;
  batchSize?: number;
  predictBatchSize?: number;
  python?: string;
}): string[] {
  return [
    'Peak memory of a process in MiB (in brackets: above what it ' +
      'held before there was a network), on the CPU, float32,',
    `${imageSize} × ${imageSize} pixels; training: two SGD steps of ${batchSize}, prediction of ${predictBatchSize}.`,
    '',
    line([
      'architecture',
      'parameters',
      'weights',
      'training',
      'prediction',
      ...(python === undefined ? [] : ['PyTorch train', 'predict', 'ratio train', 'predict']),
    ]),
  ];
}

function ratio(ours: MemoryUse, theirs: MemoryUse): string {
  return ours.peakBytes === null || theirs.peakBytes === null ? '–' : (ours.peakBytes / theirs.peakBytes).toFixed(2);
}

/** An architecture's row. */
export function sizesRow({
  architecture,
  parameters,
  weightBytes,
  training,
  prediction,
  pytorch,
}: ArchitectureSizes): string {
  const peer =
    pytorch === null
      ? []
      : [
          use(pytorch.training),
          use(pytorch.prediction),
          ratio(training, pytorch.training),
          ratio(prediction, pytorch.prediction),
        ];
  return line([
    architecture,
    parameters === null ? '–' : `${(parameters / 1e6).toFixed(2)} M`,
    mebibytes(weightBytes),
    use(training),
    use(prediction),
    ...peer,
  ]);
}

/** What could not be measured, and why. */
export function sizesNotes(rows: readonly ArchitectureSizes[]): string[] {
  return rows.flatMap(({ architecture, training, prediction, pytorch }) => [
    ...told(`${architecture}, training`, training),
    ...told(`${architecture}, prediction`, prediction),
    ...(pytorch === null
      ? []
      : [
          ...told(`${architecture}, PyTorch training`, pytorch.training),
          ...told(`${architecture}, PyTorch prediction`, pytorch.prediction),
        ]),
  ]);
}

function told(what: string, { problem }: MemoryUse): string[] {
  return problem === null ? [] : [`${what}: ${problem}`];
}
