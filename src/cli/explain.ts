/** `covidct explain`: where in an image the evidence for a class lies. */
import type { Command } from 'commander';
import { basename, extname, join } from 'node:path';
import { writeWhole } from '../files/write';
import { Classifier, drawExplanation, encodeImage } from '../index';
import type { Convolution, Precision } from '../index';
import { EXIT } from './exit-codes';
import { withDevice, withOutput } from './flags';
import { note, noteLeftOut, print, printJson } from './io';
import type { Io, OutputFlags } from './io';
import { imageFiles, nameOf } from './sources';

interface Flags extends OutputFlags {
  readonly model: string;
  readonly out: string;
  readonly class?: string;
  readonly layer?: string;
  readonly device?: string;
  readonly threads?: number;
  readonly precision?: Precision;
  readonly convolution?: Convolution;
}

const EXAMPLES = `
Examples:
  $ covidct explain --model runs/first --out overlays slice.png
  $ covidct explain --model runs/first --out overlays --class COVID --layer features.42 scans/

Writes one PNG for each image, in its own size, with Grad-CAM over it. It shows what the network reacted to, not what
is medically there. For research and education, not for diagnosis.`;

/** Adds the command. */
export function addExplain(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  const command = program.command('explain').summary('where in an image the evidence lies (Grad-CAM)').description('Writes images with Grad-CAM over them.').argument('<path...>', 'image files, or folders of images');
  withOutput(withDevice(command), 'write one JSON object a line for each image: path, overlay, label, explained, layer, probabilities')
    .requiredOption('--model <dir>', 'run folder or model folder')
    .requiredOption('--out <dir>', 'where the overlays go')
    .option('--class <name>', 'class to explain (default: the one that is called)')
    .option('--layer <name>', 'layer to look at (default: the last convolutional block)')
    .addHelpText('after', EXAMPLES)
    .action((paths: string[], flags: Flags) => run((io) => explain(paths, flags, io)));
}

async function explain(paths: readonly string[], flags: Flags, io: Io): Promise<number> {
  const { files, leftOut } = await imageFiles(paths);
  noteLeftOut(io, '', leftOut);
  const model = await Classifier.load(flags.model, { device: flags.device, threads: flags.threads, precision: flags.precision, convolution: flags.convolution });
  try {
    const taken = new Set<string>();
    for (const source of files) {
      const file = nameOf(source);
      for (const explanation of await model.explain(source, { class: flags.class, layer: flags.layer, signal: io.signal })) {
        const overlay = join(flags.out, freeName(taken, `${basename(file, extname(file))}-${explanation.explained}`));
        await writeWhole(overlay, await encodeImage(await drawExplanation(explanation)));
        const { path, label, explained, layer, probabilities, intendedUse } = explanation;
        if (!explanation.map.some((value) => value > 0)) note(io, flags, `${file}: nothing in it speaks for ${explained} at ${layer}; the overlay is the image itself`);
        if (flags.json === true) printJson(io, { path, overlay, label, explained, layer, probabilities, intendedUse });
        else print(io, overlay);
      }
    }
    return EXIT.ok;
  } finally {
    model.dispose();
  }
}

/** A name no other image of this call has: `a.png`, `a-2.png`, ... */
function freeName(taken: Set<string>, stem: string): string {
  for (let index = 1; ; index += 1) {
    const name = index === 1 ? `${stem}.png` : `${stem}-${index}.png`;
    if (taken.has(name)) continue;
    taken.add(name);
    return name;
  }
}
