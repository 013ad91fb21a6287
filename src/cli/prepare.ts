/** `covidct prepare`: a data set decoded, checked and packed into one file. */
import type { Command } from 'commander';
import { preparePacked } from '../index';
import type { PackedSummary } from '../index';
import { EXIT } from './exit-codes';
import { dataOptionsOf, withClasses, withData } from './data-flags';
import type { DataFlags } from './data-flags';
import { dataFolder, imageFlags, number, withBadFile, withImages, withOutput } from './flags';
import type { ImageFlags } from './flags';
import { note, print, printJson, progressLine } from './io';
import type { Io, OutputFlags } from './io';
import { openData } from './open-data';

interface Flags extends OutputFlags, ImageFlags, DataFlags {
  readonly data?: string;
  readonly out: string;
  readonly resize?: number;
  readonly overwrite?: boolean;
  readonly onBadFile?: 'error' | 'skip';
}

const EXAMPLES = `
Examples:
  $ covidct prepare --data COVID-CT --out covid-ct.pack
  $ covidct prepare --data COVID-CT --out covid-ct-256.pack --resize 256
  $ covidct train --data covid-ct.pack --out runs/first

Without --resize the pixels are those of the originals and a training gives the same numbers, from a file that needs no
decoding. With --resize N the shorter side of every image becomes N pixels, as the transform step resize(N) has it; that
step then stands in front of the transforms of a training and is stored with the model, so that an original image
becomes the same input. The file appears whole or not at all.`;

/** Adds the command. */
export function addPrepare(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  const command = program
    .command('prepare')
    .summary('decode a data set into one file')
    .description('Decodes and checks every image of a data set and packs pixels, splits and labels into one file.');
  withOutput(withImages(withBadFile(withClasses(withData(command)))), 'write one JSON object to standard output')
    .requiredOption('--out <file>', 'packed data set to write')
    .option('--resize <px>', 'shorter side of every image; needs LibTorch (default: as decoded)', number)
    .option('--overwrite', 'replace a packed data set of that name')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => run((io) => prepare(flags, io)));
}

async function prepare(flags: Flags, io: Io): Promise<number> {
  const data = await openData(dataFolder(io, flags.data), dataOptionsOf(flags), io, flags);
  const line = progressLine(io, flags);
  const { resize, overwrite, onBadFile } = flags;
  const onProgress = ({ images, totalImages, bytes }: { images: number; totalImages: number; bytes: number }): void =>
    line.show(`${images} of ${totalImages} images, ${megabytes(bytes)}`, images / totalImages);
  const summary = await preparePacked(data, flags.out, {
    resize,
    overwrite,
    onBadFile,
    ...imageFlags(flags),
    onProgress,
    signal: io.signal,
  }).finally(() => line.clear());
  if (flags.json === true) printJson(io, summary);
  else if (flags.quiet !== true) print(io, inWords(data.name, summary));
  for (const { id, reason } of summary.skipped) note(io, {}, `left out: ${id}: ${reason}`);
  return EXIT.ok;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function inWords(name: string, { file, bytes, counts, resize, fingerprint, skipped }: PackedSummary): string[] {
  const parts = Object.entries(counts).flatMap(([split, count]) => (count === null ? [] : [`${split} ${count}`]));
  const stored = resize === null ? 'as decoded' : `resized to a shorter side of ${resize} pixels`;
  const left =
    skipped.length === 0
      ? []
      : [`Left out: ${skipped.length} ${skipped.length === 1 ? 'file' : 'files'} that could not be decoded.`];
  return [
    `${file}: ${name}, ${parts.join(', ')}, ${stored}, ${megabytes(bytes)}`,
    `Fingerprint: ${fingerprint}`,
    ...left,
  ];
}
