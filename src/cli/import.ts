/** `covidct import`: makes a model folder of weights that were trained elsewhere. */
import { readdir } from 'node:fs/promises';
import { Option } from 'commander';
import type { Command } from 'commander';
import { CovidCtError, messageOf } from '../errors';
import { Classifier, tutorialEval } from '../index';
import { isOfSavedModel } from '../model/save';
import { locateWeights } from '../weights/index';
import type { LoadReport } from '../index';
import { EXIT } from './exit-codes';
import { names, number, sixteenBit, withAnyNumbers, withDevice } from './flags';
import { during, note, print, printJson } from './io';
import type { Io, OutputFlags } from './io';
import { loadText } from './format/weights';

interface Flags extends OutputFlags {
  readonly allowNonFinite?: boolean;
  readonly arch: string;
  readonly weights: string;
  readonly classes: string[];
  readonly out: string;
  readonly overwrite?: boolean;
  readonly imageSize?: number;
  readonly sixteenBit?: { readonly low: number; readonly high: number };
  readonly normalization?: 'imagenet' | 'none';
  readonly threshold?: number;
  readonly channels?: 1 | 3;
  readonly allowMissing?: string[];
  readonly allowUnexpected?: string[];
  readonly device?: string;
  readonly threads?: number;
}

const EXAMPLES = `
Examples:
  $ covidct import --arch resnet18 --weights trained-in-python.pth --classes NonCOVID,COVID --out models/from-python
  $ covidct import --arch vgg19_bn --weights imagenet --classes NonCOVID,COVID --out models/untrained-head

The folder is taken by covidct evaluate, predict and explain, and by Classifier.load().`;

/** Adds the command. */
export function addImport(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  const command = program
    .command('import')
    .summary('make a model folder of weights from elsewhere')
    .description("Makes a model folder of weights with torchvision's names.");
  withDevice(withAnyNumbers(command))
    .requiredOption('--arch <name>', 'architecture, e.g. resnet18')
    .requiredOption('--weights <what>', 'imagenet, a known name, or a .pth or .safetensors file')
    .requiredOption('--classes <names>', 'class names in the order of their indices, the positive one last', names)
    .requiredOption('--out <dir>', 'model folder to write; must be new or empty')
    .option('--overwrite', 'replace an earlier model in that folder')
    .option(
      '--sixteen-bit <low:high>',
      'of 16-bit images, the values that are black and white, e.g. 0:4095 (default: all 16 bits)',
      sixteenBit,
    )
    .option('--image-size <px>', "side of the square the network sees (default: the weights' own, or 224)", number)
    .addOption(
      new Option(
        '--normalization <name>',
        "normalization of the input (default: the weights' own, or imagenet)",
      ).choices(['imagenet', 'none']),
    )
    .option('--threshold <t>', 'two classes: operating point in [0, 1] (default: 0.5)', number)
    .option('--channels <n>', '3 (default), or 1: images are made gray', number)
    .option('--allow-missing <names>', 'names, or prefixes that end in a dot, that the file need not have', names)
    .option('--allow-unexpected <names>', 'names, or prefixes that end in a dot, of the file that may go unused', names)
    .option('--json', 'write the report as one JSON object to standard output')
    .option('--quiet', 'say nothing but errors')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => run((io) => importModel(flags, io)));
}

async function importModel(flags: Flags, io: Io): Promise<number> {
  await checkFolder(flags.out, flags.overwrite === true);
  const file = locateWeights(flags.weights, flags.arch);
  const { arch: architecture, classes, device, threads, imageSize, channels } = flags;
  const model = await Classifier.create({ architecture, classes, device, threads, imageSize, channels });
  try {
    const report = await during(io, flags, `loading ${file}`, () =>
      model.loadWeights(file, {
        replaceHead: true,
        allowMissing: flags.allowMissing,
        allowUnexpected: flags.allowUnexpected,
        allowNonFinite: flags.allowNonFinite,
        signal: io.signal,
      }),
    );
    const size = imageSize ?? model.pretraining?.imageSize ?? 224;
    const transform =
      flags.normalization === undefined ? model.transform : tutorialEval({ size, normalization: flags.normalization });
    model.configure({ transform, threshold: flags.threshold ?? model.threshold, sixteenBit: flags.sixteenBit });
    const card = await model.save(flags.out);
    if (flags.json === true) printJson(io, { out: flags.out, ...report, card });
    else if (flags.quiet !== true)
      print(io, [
        ...loadText(file, report, flags.normalization === undefined ? model.pretraining : null),
        `${flags.out}: ${architecture} for ${classes.join(', ')}, ${size} pixels`,
      ]);
    const random = randomPart(report);
    if (random !== null)
      note(
        io,
        {},
        `Warning: ${random}. Its predictions mean nothing until it is trained: ` +
          `covidct train --arch ${architecture} --weights ${flags.weights}`,
      );
    return EXIT.ok;
  } finally {
    model.dispose();
  }
}

/** What of the model the file did not have, in words; null for nothing that matters. */
function randomPart({ replacedHead, missing }: LoadReport): string | null {
  if (replacedHead.length > 0)
    return "the head of this model is random, since the file's is for another number of classes";
  const random = missing.filter((name) => !name.endsWith('.num_batches_tracked'));
  return random.length === 0
    ? null
    : 'of this ' +
        `model ${random.slice(0, 5).join(', ')}${random.length > 5 ? ` and ${random.length - 5} more` : ''} are ` +
        'as a new network has them, at random';
}

/** Refuses a folder that holds anything but an earlier model, which stays until the new one is written in its place. */
async function checkFolder(out: string, overwrite: boolean): Promise<void> {
  const entries = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new CovidCtError('ERR_RUN_FOLDER', `${out}: cannot be looked into: ${messageOf(error)}`, { cause: error });
  });
  const foreign = entries.filter((name) => !isOfSavedModel(name));
  if (foreign.length > 0)
    throw new CovidCtError(
      'ERR_RUN_FOLDER',
      `${out}: expected an empty or new folder for the model; it ` +
        `holds ${foreign.slice(0, 3).join(', ')}; give another --out`,
    );
  if (entries.length > 0 && !overwrite)
    throw new CovidCtError(
      'ERR_RUN_FOLDER',
      `${out}: there is a model in this folder already; give another --out, or --overwrite to replace it`,
    );
}
