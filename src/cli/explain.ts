/** `covidct explain`: where in an image the evidence for a class lies. */
import type { Command } from 'commander';
import { basename, extname, join } from 'node:path';
import { writeWhole } from '../files/write';
import { BadImageError } from '../index';
import { drawExplanation, encodeImage } from '../report/index';
import type { Classifier, Explanation } from '../index';
import { csvPath, probabilityColumns } from './csv';
import { EXIT } from './exit-codes';
import { imageFlags, withModelAndImages } from './flags';
import type { ImageFlags } from './flags';
import { loadModel } from './load-model';
import type { ModelFlags } from './load-model';
import { note, noteLeftOut, print, printCsv, printJson, progressLine } from './io';
import type { Io } from './io';
import { givenImages, SOURCES_HELP, whyMissing } from './sources';
import type { GivenImage } from './sources';

interface Flags extends ModelFlags, ImageFlags {
  readonly out: string;
  readonly class?: string;
  readonly layer?: string;
}

const EXAMPLES = `
Examples:
  $ covidct explain --model runs/first --out overlays slice.png
  $ covidct explain --model runs/first --out overlays --class COVID --layer features.42 scans/
${SOURCES_HELP}
Writes one PNG for each image, in its own size, with Grad-CAM over it. It shows what the network reacted to, not what
is medically there. For research and education, not for diagnosis.`;

/** Adds the command. */
export function addExplain(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  const command = program
    .command('explain')
    .summary('where in an image the evidence lies (Grad-CAM)')
    .description('Writes images with Grad-CAM over them.');
  withModelAndImages(command, {
    json: 'write one JSON object per line for each image: path, overlay, label, explained, layer, probabilities',
    csv: 'write CSV: path, overlay, label, explained, layer, one probability per class, error',
  })
    .requiredOption('--out <dir>', 'where the overlays go')
    .option('--class <name>', 'class to explain (default: the predicted one)')
    .option('--layer <name>', 'layer to look at (default: the last convolutional block)')
    .addHelpText('after', EXAMPLES)
    .action((paths: string[], flags: Flags) => run((io) => explain(paths, flags, io)));
}

async function explain(paths: readonly string[], flags: Flags, io: Io): Promise<number> {
  const given = await givenImages(paths, io);
  const model = await loadModel(flags, io);
  const line = progressLine(io, { quiet: flags.quiet === true || io.stdout.isTTY === true });
  const freeName = uniqueNames();
  let [done, left] = [0, 0];
  try {
    if (flags.csv === true)
      printCsv(io, ['path', 'overlay', 'label', 'explained', 'layer', ...probabilityColumns(model.classes), 'error']);
    for await (const image of given.images((leftOut) => {
      line.clear();
      noteLeftOut(io, '', leftOut);
    })) {
      const result = await explainOne(model, image, flags, io);
      if ('error' in result) left += 1;
      tell(
        io,
        flags,
        model,
        'error' in result ? result : await draw(result, join(flags.out, freeName(image.name, result.explained))),
      );
      if (!('error' in result) && !result.map.some((value) => value > 0)) {
        line.clear();
        note(
          io,
          flags,
          `${image.name}: nothing in it speaks ` +
            `for ${result.explained} at ${result.layer}; the overlay is the image itself`,
        );
      }
      done += 1;
      line.show(
        `${done}${given.total === null ? '' : ` of ${given.total}`} images`,
        given.total === null ? undefined : done / given.total,
      );
    }
  } finally {
    line.clear();
    model.dispose();
  }
  if (left > 0) note(io, {}, `${left} of ${done} files could not be decoded`);
  return EXIT.ok;
}

interface Failed {
  readonly path: string;
  readonly error: string;
}

async function explainOne(
  model: Classifier,
  image: GivenImage,
  flags: Flags,
  io: Io,
): Promise<(Explanation & { readonly path: string }) | Failed> {
  if (!('source' in image)) return whyMissing(image, flags.onBadFile);
  try {
    const [explanation] = await model.explain(image.source, {
      class: flags.class,
      layer: flags.layer,
      ...imageFlags(flags),
      signal: io.signal,
    });
    return { ...explanation!, path: image.name };
  } catch (error) {
    if (!(error instanceof BadImageError) || flags.onBadFile !== 'skip') throw error;
    return { path: image.name, error: error.reason };
  }
}

interface Drawn extends Pick<Explanation, 'label' | 'explained' | 'layer' | 'probabilities' | 'intendedUse'> {
  readonly path: string;
  readonly overlay: string;
}

async function draw(explanation: Explanation & { readonly path: string }, overlay: string): Promise<Drawn> {
  await writeWhole(overlay, await encodeImage(await drawExplanation(explanation)));
  const { path, label, explained, layer, probabilities, intendedUse } = explanation;
  return { path, overlay, label, explained, layer, probabilities, intendedUse };
}

function tell(io: Io, flags: Flags, { classes }: Classifier, result: Drawn | Failed): void {
  if (flags.json === true) return printJson(io, result);
  if (flags.csv !== true)
    return print(io, 'error' in result ? `${result.path}: left out: ${result.error}` : result.overlay);
  if ('error' in result)
    return printCsv(io, [csvPath(result.path), null, null, null, null, ...classes.map(() => null), result.error]);
  const { path, overlay, label, explained, layer, probabilities } = result;
  printCsv(io, [
    csvPath(path),
    csvPath(overlay),
    label,
    explained,
    layer,
    ...classes.map((name) => probabilities[name]!),
    null,
  ]);
}

/** Names that no other image of this call has: `a-COVID.png`, `a-COVID-2.png`, ... */
function uniqueNames(): (image: string, explained: string) => string {
  const taken = new Set<string>();
  const next = new Map<string, number>();
  return (image, explained) => {
    const stem = `${image === '-' ? 'standard-input' : basename(image, extname(image))}-${explained}`.replace(
      /[/\\]/g,
      '_',
    );
    for (let index = next.get(stem) ?? 1; ; index += 1) {
      const name = index === 1 ? `${stem}.png` : `${stem}-${index}.png`;
      if (taken.has(name)) continue;
      taken.add(name);
      next.set(stem, index + 1);
      return name;
    }
  };
}
