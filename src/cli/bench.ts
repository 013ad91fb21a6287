/** `covidct bench`: ours beside PyTorch and ONNX Runtime on this machine. */
import type { Command } from 'commander';
import { architectures } from '../index';
import { runBenchmark } from '../bench/index';
import type { BenchOptions, BenchRow } from '../bench/index';
import { ceilingsText, contenderLine, resultTable, settingText, targetsTable } from './format/bench';
import { EXIT } from './exit-codes';
import { names, number } from './flags';
import { print, printJson, progressLine } from './io';
import type { Io, OutputFlags } from './io';
import type { Text } from '../text/printable';

interface Flags extends OutputFlags {
  readonly arch?: string[];
  readonly what?: string[];
  readonly batch?: number[];
  readonly rounds?: number;
  readonly imageSize?: number;
  readonly threads?: number;
  readonly python?: string;
  readonly onnxruntime?: string;
  readonly peers?: string[];
  readonly timeout?: number;
}

const numbers = (text: string): number[] => text.split(',').map(number);

const EXAMPLES = `
Examples:
  $ covidct bench --python python3
  $ covidct bench --what predict --batch 1 --rounds 5 --onnxruntime ~/onnx
  $ covidct bench --arch all --batch 8 --peers pytorch --json > bench.jsonl`;

/** Adds the command. */
export function addBench(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  program
    .command('bench')
    .summary('measure speed and memory beside PyTorch and ONNX Runtime')
    .description(
      'Measures training steps, predictions, cold start and peak memory of ours and of what else runs the ' +
        'same network on this machine: same weights, images and threads, each in a process of its own, in turn.',
    )
    .option('--arch <names>', 'architectures; all for every one (default: vgg19_bn)', names)
    .option('--what <names>', 'of train, predict, cold, memory (default: all four)', names)
    .option('--batch <numbers>', 'images in a training step and in a prediction (default: 1,8,32)', numbers)
    .option('--rounds <n>', 'turns of every contender, in an order that is reversed each time (default: 3)', number)
    .option('--image-size <px>', 'side of the square the network sees (default: 224)', number)
    .option('--threads <n>', 'threads of every contender (default: one per core)', number)
    .option(
      '--python <path>',
      'a Python with torch, torchvision and safetensors (and onnx, for ONNX Runtime) (default: python3)',
    )
    .option(
      '--onnxruntime <dir>',
      'a folder in whose node_modules onnxruntime-node lies (default: the working directory)',
    )
    .option(
      '--peers <names>',
      'of pytorch, pytorch-fused, pytorch-channels-last, pytorch-folded, pytorch-meta, ' +
        'torchscript, torch-compile, onnxruntime; all, or none (default: all)',
      names,
    )
    .option('--timeout <seconds>', 'most time for one measuring process (default: 300)', number)
    .option('--json', 'write one JSON object per line to standard output')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => run((io) => bench(flags, io)));
}

/** The flags under the options' names. */
export function optionsOf({
  arch,
  what,
  batch,
  rounds,
  imageSize,
  threads,
  python,
  onnxruntime,
  peers,
  timeout,
}: Flags): BenchOptions {
  return {
    architectures: arch?.includes('all') === true ? architectures() : arch,
    what: what as BenchOptions['what'],
    batchSizes: batch,
    rounds,
    imageSize,
    threads,
    python,
    onnxruntime,
    peers:
      peers?.includes('all') === true ? undefined : peers?.join() === 'none' ? [] : (peers as BenchOptions['peers']),
    timeoutMs: timeout === undefined ? undefined : timeout * 1000,
  };
}

/**
 * Missing peers are reported and are no failure; where ours could not be measured, or computes something else, it is
 * one.
 */
async function bench(flags: Flags, io: Io): Promise<number> {
  const progress = progressLine(io, flags);
  const rows: BenchRow[] = [];
  for await (const row of runBenchmark({ ...optionsOf(flags), signal: io.signal })) {
    progress.clear();
    if (row.type === 'measuring') {
      progress.show(`${row.text} …`);
      continue;
    }
    if (flags.json === true) printJson(io, row);
    else if (row.type !== 'target') print(io, inWords(row, flags, rows));
    rows.push(row);
  }
  progress.clear();
  if (flags.json !== true) print(io, targetsTable(rows.filter((row) => row.type === 'target')));
  const ours = rows
    .flatMap((row) => (row.type === 'result' ? row.contenders : []))
    .filter(({ contender }) => contender === 'ours' || contender === 'ours-libtorch');
  return ours.some(({ problem, agrees }) => problem !== null || !agrees) ? EXIT.failure : EXIT.ok;
}

function inWords(
  row: Exclude<BenchRow, { type: 'measuring' | 'target' }>,
  { what }: Flags,
  before: readonly BenchRow[],
): Text {
  switch (row.type) {
    case 'setting':
      return settingText(row);
    case 'contender':
      return contenderLine(
        row,
        before.flatMap((each) => (each.type === 'contender' && each.problem !== null ? [each.problem] : [])),
      );
    case 'ceilings':
      return ceilingsText(row);
    case 'result':
      return resultTable(row, { memory: what?.includes('memory') ?? true });
  }
}
