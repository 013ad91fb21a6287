/** `covidct weights`: what known weights there are, fetching them, and looking into and converting weight files. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { CovidCtError } from '../errors';
import { cachedWeights, weightsFolder } from '../weights/fetch';
import { convertWeights, fetchWeights, detectArchitecture, pretrainedWeights, openWeightFile } from '../weights/index';
import { detectPretraining } from '../weights/pretrained';
import { EXIT } from './exit-codes';
import { during, note, print, printJson, progressLine } from './io';
import type { Io, OutputFlags } from './io';

type Run = (work: (io: Io) => Promise<number>) => Promise<void>;

interface ConvertFlags extends OutputFlags {
  readonly out: string;
  readonly overwrite?: boolean;
  readonly entry?: string;
  readonly prefix?: string;
}

const EXAMPLES = `
Examples:
  $ covidct weights list
  $ covidct weights fetch resnet18-imagenet
  $ covidct weights inspect checkpoint.pth
  $ covidct weights convert checkpoint.pth --out checkpoint.safetensors
  $ covidct weights convert training.pth --entry model_ema --out averaged.safetensors`;

/** Adds the command and its verbs. */
export function addWeights(program: Command, run: Run): void {
  const weights = program
    .command('weights')
    .summary('list, fetch, inspect and convert weights')
    .description(
      'Weights of networks: safetensors, and what torch.save writes (read without Python and without running code).',
    )
    .addHelpText('after', EXAMPLES);
  weights
    .command('list')
    .summary('the weights known by name')
    .option('--json', 'write one JSON object per line')
    .action((flags: OutputFlags) => run((io) => list(flags, io)));
  weights
    .command('fetch <name>')
    .summary('fetch known weights into the cache')
    .description('Fetches known weights once; one that was broken off goes on where it was.')
    .option('--url <url>', 'another place to take the same file from')
    .option('--json', 'write one JSON object to standard output')
    .option('--quiet', 'say nothing but errors')
    .action((name: string, flags: OutputFlags & { url?: string }) => run((io) => fetch(name, flags, io)));
  const entry = [
    '--entry <keys>',
    'where in a checkpoint the weights stand, with dots between keys (default: found)',
  ] as const;
  weights
    .command('inspect <file>')
    .summary('what a weight file holds')
    .option(...entry)
    .option('--json', 'write one JSON object to standard output')
    .action((file: string, flags: OutputFlags & { entry?: string }) => run((io) => inspect(file, flags, io)));
  weights
    .command('convert <file>')
    .summary('turn a weight file into safetensors')
    .requiredOption('--out <file>', 'the safetensors file to write')
    .option(...entry)
    .option('--prefix <prefix>', 'take the names that begin so, without it (default: all)')
    .option('--overwrite', 'replace an earlier file')
    .option('--json', 'write one JSON object to standard output')
    .action((file: string, flags: ConvertFlags) => run((io) => convert(file, flags, io)));
}

function list(flags: OutputFlags, io: Io): Promise<number> {
  for (const known of pretrainedWeights()) {
    const { path, present } = cachedWeights(known);
    const size = `${known.sizeMiB.toFixed(0).padStart(4)} MiB  ${present ? 'here' : '    '}`;
    if (flags.json === true) printJson(io, { ...known, path, present });
    else
      print(io, [
        `${known.name.padEnd(22)} ${size}  ${known.description}; ImageNet ${known.imagenetAccuracy} %`,
        `${' '.repeat(23)}sha256 ${known.sha256Prefix}… (the published 32 bits)  ${known.url}`,
      ]);
  }
  if (flags.json !== true) note(io, flags, `Kept in ${weightsFolder()}. Terms: ${pretrainedWeights()[0]?.terms}.`);
  return Promise.resolve(EXIT.ok);
}

async function fetch(name: string, flags: OutputFlags & { url?: string }, io: Io): Promise<number> {
  const line = progressLine(io, flags);
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  const onProgress = (received: number, total: number | undefined): void => {
    const of = total === undefined ? '' : ` of ${megabytes(total)}`;
    line.show(`fetching ${name}: ${megabytes(received)}${of}`, total === undefined ? undefined : received / total);
  };
  const result = await fetchWeights(name, { url: flags.url, signal: io.signal, onProgress }).finally(() =>
    line.clear(),
  );
  if (flags.json === true) printJson(io, { name, ...result });
  else if (flags.quiet !== true)
    print(io, [`${result.path}${result.fetched ? '' : ' was there already'}`, `sha256 ${result.sha256}`]);
  return EXIT.ok;
}

async function inspect(file: string, flags: OutputFlags & { entry?: string }, io: Io): Promise<number> {
  const { format, tensors, metadata, notes } = await openWeightFile(file, { entry: flags.entry, signal: io.signal });
  const { size } = await stat(file);
  const numbers = tensors.reduce((sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1), 0);
  const architecture = detectArchitecture(tensors);
  const pretraining = detectPretraining(file, metadata);
  if (flags.json === true) {
    printJson(io, { file, format, bytes: size, numbers, architecture, pretraining, metadata, notes, tensors });
    return EXIT.ok;
  }
  const guess = architecture === null ? '' : `; looks like ${architecture}`;
  print(io, [
    `${file}: ${format}, ${size} bytes, ${tensors.length} tensors, ${numbers} numbers${guess}`,
    ...notes.map((each) => `  ${each}`),
    ...Object.entries(metadata).map(([key, value]) => `  ${key}: ${value}`),
    ...tensors.map(
      ({ name, dtype, shape, strides }) =>
        `  ${name}  ${dtype} [${shape.join(', ')}]${strides === undefined ? '' : ` strides [${strides.join(', ')}]`}`,
    ),
  ]);
  return EXIT.ok;
}

async function convert(file: string, flags: ConvertFlags, io: Io): Promise<number> {
  if (flags.overwrite !== true && existsSync(flags.out))
    throw new CovidCtError(
      'ERR_RUN_FOLDER',
      `${flags.out}: there is a file of that name already; give another --out, or --overwrite to replace it`,
    );
  const { entry, prefix } = flags;
  const result = await during(io, flags, `converting ${file}`, () =>
    convertWeights(file, flags.out, { entry, prefix, signal: io.signal }),
  );
  if (flags.json === true) printJson(io, { file, out: flags.out, ...result });
  else
    print(io, [
      `${flags.out}: ${result.tensors} tensors, ${result.bytes} bytes`,
      ...result.notes.map((each) => `  ${each}`),
    ]);
  return EXIT.ok;
}
