/** `covidct doctor`: what is there, what is missing, and what to do about it. */
import type { Command } from 'commander';
import { architectures } from '../index';
import { diagnose } from '../install/index';
import { imageLibraryVersions } from '../data/images/decode';
import { measureSizes } from '../bench/index';
import type { ArchitectureSizes } from '../bench/index';
import type { Diagnosis } from '../install/index';
import { InvalidOptionError } from '../errors';
import { EXIT } from './exit-codes';
import { names, number } from './flags';
import { print, printJson, progressLine } from './io';
import type { Io, OutputFlags } from './io';
import { sizesHeading, sizesNotes, sizesRow } from './format/sizes';

interface Flags extends OutputFlags {
  readonly arch?: string[];
  readonly imageSize?: number;
  readonly batchSize?: number;
  readonly predictBatchSize?: number;
  readonly threads?: number;
  readonly python?: string;
}

const EXAMPLES = `
Examples:
  $ covidct doctor
  $ covidct doctor --json
  $ covidct doctor --arch resnet18,vgg19_bn --batch-size 16
  $ covidct doctor --arch all --python python3`;

/** Adds the command. */
export function addDoctor(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  program
    .command('doctor')
    .summary('check Node, LibTorch, the addon and the GPU')
    .description(
      'Shows what the library runs on, what is wrong, and the remedy. Exit code 3 when the native part cannot be used.',
    )
    .option(
      '--arch <names>',
      'instead, measure the memory that these architectures take in training and prediction; all for every one',
      names,
    )
    .option('--image-size <px>', 'with --arch: side of the square the network sees (default: 224)', number)
    .option('--batch-size <n>', 'with --arch: images in a training step (default: 8)', number)
    .option('--predict-batch-size <n>', 'with --arch: images in a prediction (default: 1)', number)
    .option('--threads <n>', 'with --arch: threads of the computation (default: one per core)', number)
    .option('--python <path>', 'with --arch: a Python with torch and torchvision to measure beside ours')
    .option('--json', 'write one JSON object to standard output')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) =>
      run((io) => (flags.arch === undefined ? doctor(flags, io) : sizes(flags, flags.arch, io))),
    );
}

async function doctor(flags: Flags, io: Io): Promise<number> {
  refuseWithoutArch(flags);
  const diagnosis = await diagnose();
  if (flags.json === true) printJson(io, { ...diagnosis, images: imageLibraryVersions() });
  else print(io, inWords(diagnosis));
  return diagnosis.native === undefined ? EXIT.native : EXIT.ok;
}

/** Flags that would be without effect are refused, not passed over. */
function refuseWithoutArch(flags: Flags): void {
  const first = Object.keys(flags).find((name) => name !== 'json');
  if (first !== undefined)
    throw new InvalidOptionError(
      `--${first.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} is for measuring memory; give --arch too`,
    );
}

async function sizes(
  { json, imageSize, batchSize, predictBatchSize, threads, python }: Flags,
  wanted: readonly string[],
  io: Io,
): Promise<number> {
  const options = { imageSize, batchSize, predictBatchSize, threads, python };
  const list = wanted.includes('all') ? architectures() : wanted;
  const progress = progressLine(io, {});
  const rows: ArchitectureSizes[] = [];
  progress.show(`measuring ${list[0]} …`);
  for await (const row of measureSizes(list, { ...options, signal: io.signal })) {
    rows.push(row);
    progress.clear();
    if (json !== true && rows.length === 1) print(io, sizesHeading(options));
    if (json !== true) print(io, sizesRow(row));
    if (rows.length < list.length) progress.show(`measuring ${list[rows.length]} …`);
  }
  const notes = sizesNotes(rows);
  if (json === true) printJson(io, { architectures: rows });
  else if (notes.length > 0) print(io, notes);
  return rows.some(({ training, prediction }) => (training.problem ?? prediction.problem) !== null)
    ? EXIT.failure
    : EXIT.ok;
}

/** Was it taken from a platform package rather than compiled here? */
function isPrebuilt(origin: string | undefined): boolean {
  return origin !== undefined && origin !== 'compiled';
}

function libtorchText({ version, variant, root }: NonNullable<Diagnosis['libtorch']>): string {
  return `${version} (${variant}), ${root}`;
}

function addonText({ path, built, loads, upToDate, origin }: NonNullable<Diagnosis['addon']>): string {
  const state = built ? (loads ? 'loads' : 'does not load') : 'not built';
  return `${path}: ${state}${upToDate ? '' : ', out of date'}${isPrebuilt(origin) ? `, prebuilt: ${origin}` : ''}`;
}

function inWords({
  package: own,
  node,
  platform,
  libtorch,
  libtorchTried,
  addon,
  native,
  tools,
  problems,
}: Diagnosis): string[] {
  const tool = (name: keyof typeof tools): string =>
    `${name} ${tools[name] === undefined ? 'not found' : tools[name].version}`;
  const glibc = platform.glibc === undefined ? '' : `, glibc ${platform.glibc}`;
  const lines = [
    `covidct-torch  ${own.version} (${own.root})`,
    `Node           ${node.version}, Node-API ${node.napi}`,
    `platform       ${platform.os}-${platform.arch}${glibc}`,
    `LibTorch       ${libtorch === undefined ? 'not found' : libtorchText(libtorch)}`,
    ...libtorchTried.map(({ path, reason }) => `                 ${path}: ${reason}`),
    `addon          ${addon === undefined ? 'not built' : addonText(addon)}`,
  ];
  if (native !== undefined) {
    lines.push(`CPU            ${native.cpuCapability}, ${native.threads} threads`);
    const noGpu = native.cudaBuilt ? 'none found' : 'none: this LibTorch is for the CPU';
    lines.push(`GPU            ${native.cudaDevices.join(', ') || noGpu}`);
  }
  lines.push(
    `images         ${Object.entries(imageLibraryVersions())
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
  );
  lines.push(`build tools    ${(['compiler', 'cmake', 'ninja', 'python'] as const).map(tool).join(', ')}`);
  lines.push(
    '',
    ...(problems.length === 0
      ? ['Nothing is wrong.']
      : problems.flatMap(({ what, remedy }) => [`Problem: ${what}`, `  remedy: ${remedy}`])),
  );
  return lines;
}
