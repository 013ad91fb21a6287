/** Flags that several commands share, and how their values are read. */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { InvalidOptionError } from '../errors';
import type { Convolution, Precision } from '../index';
import type { Io } from './io';

/** A number; words are refused here, ranges by the option's schema. */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('expected a number');
  return value;
}

/** A number of bytes with an optional unit: 500000, 64KiB, 1.5GB. */
export function bytes(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B?|B)?\s*$/i.exec(text);
  if (match === null) throw new InvalidArgumentError('expected a number of bytes such as 500000, 512MiB or 2GB');
  const power = match[2] === undefined ? 0 : 'KMGT'.indexOf(match[2].toUpperCase()) + 1;
  return Math.round(Number(match[1]) * (match[3] === undefined || match[3] === '' ? 1000 : 1024) ** power);
}

/** `balanced`, or one number per class, separated by commas. */
export function classWeights(text: string): 'balanced' | number[] {
  return text === 'balanced' ? text : text.split(',').map(number);
}

/** Names separated by commas. */
export function names(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

/** `validation`, or a number. */
export function threshold(text: string): 'validation' | number {
  return text === 'validation' ? text : number(text);
}

/** What {@link withDevice} reads, under the options' names. */
export interface DeviceFlags {
  readonly device?: string;
  readonly threads?: number;
  readonly precision?: Precision;
  readonly convolution?: Convolution;
}

/** Picks the flags of {@link withDevice} out of a command's flags. */
export function deviceFlags({ device, threads, precision, convolution }: DeviceFlags): DeviceFlags {
  return { device, threads, precision, convolution };
}

/** --device, --threads, --precision and --convolution. */
export function withDevice(command: Command): Command {
  return command
    .option('--device <name>', 'cpu, cuda, cuda:N or auto (default: auto)')
    .option('--threads <n>', 'threads of the computation; 0 leaves the choice to LibTorch (default: 0)', number)
    .addOption(
      new Option(
        '--precision <name>',
        'numbers the network computes in: float32, tf32 (CUDA alone) or bf16 (default: float32)',
      ).choices(['float32', 'tf32', 'bf16']),
    )
    .addOption(
      new Option(
        '--convolution <name>',
        'convolutions on the CPU: auto, our own where they are faster; libtorch, ' +
          "PyTorch's bit for bit; winograd, our own wherever they can be (default: auto)",
      ).choices(['auto', 'libtorch', 'winograd']),
    );
}

/** --allow-non-finite, where weights are loaded. */
export function withAnyNumbers(command: Command): Command {
  return command.option(
    '--allow-non-finite',
    'load weights with NaN or infinite numbers too, for a look inside; a prediction with them is refused all the same',
  );
}

/** --json and --quiet. */
export function withOutput(command: Command, json: string): Command {
  return command.option('--json', json).option('--quiet', 'say nothing but errors and files that were left out');
}

/** --csv, which goes with --json no more than text does. */
export function withCsv(command: Command, text: string): Command {
  return command.addOption(new Option('--csv', text).conflicts('json'));
}

/** --on-bad-file. */
export function withBadFile(command: Command): Command {
  return command.addOption(
    new Option('--on-bad-file <what>', 'what to do with a file that cannot be decoded (default: error)').choices([
      'error',
      'skip',
    ]),
  );
}

/** Images in, one result an image out: the paths, --model, and every flag of what opens an image and shows a result. */
export function withModelAndImages(command: Command, output: { readonly json: string; readonly csv: string }): Command {
  command.argument('<path...>', 'image files, folders of images, @FILE, @- or -');
  return withCsv(
    withOutput(withImages(withBadFile(withDevice(withAnyNumbers(command)))), output.json),
    output.csv,
  ).requiredOption('--model <dir>', 'run folder or model folder');
}

/** `0:4095`, the values of 16-bit images that are black and white. */
export function sixteenBit(text: string): { low: number; high: number } {
  const [, low, high] = /^(\d+):(\d+)$/.exec(text.trim()) ?? [];
  if (low === undefined || high === undefined)
    throw new InvalidArgumentError('expected the values of black and white, such as 0:4095');
  return { low: Number(low), high: Number(high) };
}

/** What {@link withImages} reads, under the options' names. */
export interface ImageFlags {
  readonly maxPixels?: number;
  readonly maxSide?: number;
  readonly maxFileBytes?: number;
  readonly decodeTimeoutMs?: number;
  readonly sixteenBit?: { readonly low: number; readonly high: number };
}

/** --sixteen-bit and the limits on images. */
export function withImages(command: Command): Command {
  return command
    .option(
      '--sixteen-bit <low:high>',
      'of 16-bit images, the values that become black and white, e.g. ' +
        '0:4095 (default: those stored with the model, or all 16 bits)',
      sixteenBit,
    )
    .option('--max-pixels <n>', 'pixels an image may have (default: 50 million)', number)
    .option('--max-side <px>', 'pixels a side of an image may have (default: 16384)', number)
    .option('--max-file-bytes <n>', 'bytes an image file may have (default: 128MiB)', bytes)
    .option(
      '--decode-timeout-ms <ms>',
      'milliseconds the decoding of an image may take, in whole seconds (default: 20000)',
      number,
    );
}

/** Picks the flags of {@link withImages} out of a command's flags. */
export function imageFlags({
  maxPixels,
  maxSide,
  maxFileBytes,
  decodeTimeoutMs,
  sixteenBit: scale,
}: ImageFlags): ImageFlags {
  const all = { maxPixels, maxSide, maxFileBytes, decodeTimeoutMs, sixteenBit: scale };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** What COVIDCT_DATA names; empty counts as not set. */
export function dataOfEnvironment(io: Io): string | undefined {
  return io.env['COVIDCT_DATA'] || undefined;
}

/** The data set's path. Throws InvalidOptionError when none was named. */
export function dataFolder(io: Io, data: string | undefined): string {
  const dir = data ?? dataOfEnvironment(io);
  if (dir !== undefined && dir !== '') return dir;
  throw new InvalidOptionError('no data set was named: give --data PATH or set COVIDCT_DATA', [
    { path: 'data', message: 'missing' },
  ]);
}
