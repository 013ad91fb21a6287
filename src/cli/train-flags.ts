/** The flags of `covidct train` that no other command has. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { BEST_BY } from '../metrics/registry';
import { ACCEPTABLE } from '../train/resume';
import { bytes, classWeights, names, number, threshold } from './flags';
import { checkpointEvery } from './resume';

/** The recipe, where the run lies, and what it starts from. */
export function withRecipe(command: Command): Command {
  return command
    .option('--out <dir>', 'run folder to write; must be new or empty')
    .option('--overwrite', 'replace an earlier run in that folder')
    .option('--arch <name>', 'architecture, e.g. vgg19_bn (default), vgg11_bn, tiny')
    .option(
      '--weights <what>',
      'start from imagenet, a known name (covidct weights list), or a ' +
        '.pth or .safetensors file; a head of another size is replaced',
    )
    .option('--channels <n>', '3 (default), or 1: images are made gray', number)
    .option('--epochs <n>', 'at most this many epochs (default: 60)', number)
    .option('--batch-size <n>', 'images in a micro-batch (default: 8)', number)
    .option('--accumulate <n>', 'micro-batches in one optimizer step (default: 8)', number)
    .option('--lr <rate>', 'learning rate (default: 0.01; every other optimizer than sgd: 0.0001)', number)
    .option(
      '--lr-factor <factor>',
      'what the rate is multiplied by when only the loss stops improving (default: 0.1)',
      number,
    )
    .option('--momentum <m>', 'momentum of sgd (default: 0.9) and rmsprop (default: 0)', number)
    .option('--weight-decay <l2>', 'L2 penalty (default: 0; adamw: 0.01)', number)
    .option('--dampening <d>', 'dampening of the momentum (default: 0)', number)
    .option('--nesterov', 'Nesterov momentum')
    .option('--dropout <p>', 'dropout of the head (default: that of the architecture; 0.5 for VGG)', number)
    .option('--image-size <px>', 'side of the square the network sees (default: that of the weights, or 224)', number)
    .option('--patience <n>', 'epochs without improvement that are forgiven (default: 5)', number)
    .option('--class-weights <w>', 'balanced, or one number per class, separated by commas', classWeights)
    .addOption(
      new Option('--keep <weights>', 'which weights stay in the run folder: best (default), last, or both').choices([
        'best',
        'last',
        'both',
      ]),
    )
    .option('--best-by <metric>', `of the validation split: ${BEST_BY.join(', ')} (default accuracy)`)
    .option('--threshold <t>', 'validation (default: chosen there) or a number in [0, 1]', threshold)
    .option('--seed <n>', 'seed of everything random (default: 0)', number)
    .option('--preset <name>', 'default, or tutorial: its accumulation and missing normalization')
    .option('--prefetch <n>', 'micro-batches prepared ahead (default: 2)', number)
    .option('--cache-bytes <n>', 'decoded pixels kept in memory, e.g. 512MiB (default: 2GiB)', bytes)
    .option('--device-cache-bytes <n>', 'pixels kept in the memory of a GPU (default: 1GiB)', bytes)
    .option(
      '--config <file>',
      'JSON file with options, or a run or its config.json, whose training is done again; flags win',
    )
    .option('--test', 'evaluate the test split at the end');
}

/** Checkpoints, and going on from one. */
export function withResume(command: Command): Command {
  return command
    .option(
      '--resume <run>',
      'go on with a run that was killed or stopped, with its own options and data; ' +
        'auto: with the run in --out, or begin it where there is none',
    )
    .option(
      '--accept <kinds>',
      `with --resume, differences that are let pass, separated by commas: ${ACCEPTABLE.join(', ')}`,
      names,
    )
    .option('--checkpoint-every <time>', 'epoch (default), or within epochs too: 10min, 500steps', checkpointEvery)
    .option('--keep-checkpoints <n>', 'how many of the latest stay (default: 1; 0: none is written)', number);
}
