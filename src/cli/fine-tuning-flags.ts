/** The flags of `covidct train` for fine-tuning, and the options they stand for. */
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { InvalidOptionError } from '../errors';
import { names, number } from './flags';

interface Group {
  match: string[];
  learningRate?: number;
  learningRateScale?: number;
  weightDecay?: number;
}
interface Unfreeze {
  epoch: number;
  parameters?: 'all' | string[];
  depth?: number;
}

/** `classifier.6:lr=0.001,wd=0`; several names with `+` between them, `scale=` for a share of the common rate. */
function group(text: string, before: Group[] = []): Group[] {
  const colon = text.indexOf(':');
  const keys = { lr: 'learningRate', scale: 'learningRateScale', wd: 'weightDecay' } as const;
  const result: Group = { match: text.slice(0, colon).split('+') };
  for (const part of text.slice(colon + 1).split(',')) {
    const [key, value] = part.split('=') as [string, string | undefined];
    if (colon < 1 || !(key in keys) || value === undefined)
      throw new InvalidArgumentError("expected e.g. 'head:lr=0.001,wd=0' with lr=, scale= or wd=");
    result[keys[key as keyof typeof keys]] = number(value);
  }
  return [...before, result];
}

/** `5:layer4,layer3`, `5:all`, or `5:depth=2`: from then on only the first two stages stay frozen. */
function unfreeze(text: string, before: Unfreeze[] = []): Unfreeze[] {
  const [, epoch, what] = /^(\d+):(.+)$/.exec(text) ?? [];
  if (what === undefined)
    throw new InvalidArgumentError("expected an epoch and names, e.g. '5:layer4', '5:all' or '5:depth=2'");
  const depth = /^depth=(\d+)$/.exec(what)?.[1];
  if (depth !== undefined) return [...before, { epoch: Number(epoch), depth: Number(depth) }];
  return [...before, { epoch: Number(epoch), parameters: what === 'all' ? 'all' : names(what) }];
}

/** `0.9,0.999` */
function numbers(text: string): number[] {
  return text.split(',').map(number);
}

/** Adds the flags. */
export function withFineTuning(command: Command): Command {
  return command
    .option('--optimizer <name>', 'sgd (default), adam, adamw or rmsprop; all but sgd begin at the rate 1e-4')
    .option('--betas <b1,b2>', 'adam, adamw: decay of the running means (default: 0.9,0.999)', numbers)
    .option('--epsilon <number>', 'adam, adamw, rmsprop: added to the divisor (default: 1e-8)', number)
    .option('--alpha <number>', 'rmsprop: smoothing of the mean square (default: 0.99)', number)
    .option('--centered', 'rmsprop: divide by an estimate of the standard deviation')
    .option('--schedule <name>', 'plateau (default), constant, step, cosine or onecycle')
    .option('--warmup-epochs <n>', 'cosine: epochs of linear rise before it', number)
    .option('--warmup-start <share>', 'cosine: share of the rate that the rise begins at (default: 0.01)', number)
    .option('--min-lr <rate>', 'cosine: the rate it ends at', number)
    .option('--step-every <epochs>', 'step: epochs between two reductions', number)
    .option('--step-factor <factor>', 'step: what the rate is multiplied by (default: 0.1)', number)
    .option('--warmup-share <share>', 'onecycle: share of all steps in which the rate rises (default: 0.3)', number)
    .option('--div-factor <n>', 'onecycle: it begins at the rate divided by this (default: 25)', number)
    .option('--final-div-factor <n>', 'onecycle: it ends at the first rate divided by this (default: 10000)', number)
    .option('--anneal <form>', 'onecycle: cos (default) or linear')
    .option('--freeze <names>', 'what is not trained: backbone, or names and prefixes, separated by commas', names)
    .option('--freeze-depth <n>', 'the first n stages of the backbone are not trained', number)
    .option(
      '--unfreeze <epoch:names>',
      'what is trained as well from that epoch on, e.g. 5:layer4, 5:all or 5:depth=2; may be repeated',
      unfreeze,
    )
    .option('--batch-norm <mode>', 'frozen batch norms: running (default) or batch statistics')
    .option('--group <match:settings>', "a rate or decay of its own, e.g. 'head:lr=0.001,wd=0'; may be repeated", group)
    .option('--label-smoothing <share>', 'share of the target spread over all classes (default: 0)', number)
    .option('--max-gradient-norm <norm>', 'gradients are scaled down to this norm', number)
    .option(
      '--cache-features [k]',
      'frozen backbone: compute its features once, without augmentation or with k fixed ones per image',
      (text: string) => ({ augmentations: number(text) }),
    )
    .option('--ema <decay>', 'validate and keep an exponential moving average of the weights', number);
}

/**
 * Takes these flags out of all and returns the options in their place. Throws InvalidOptionError for a flag without the
 * one it belongs to.
 */
export function fineTuningOptions({
  schedule,
  warmupEpochs,
  warmupStart,
  minLr,
  stepEvery,
  stepFactor,
  warmupShare,
  divFactor,
  finalDivFactor,
  anneal,
  freeze,
  freezeDepth,
  unfreeze: thaw,
  batchNorm,
  group: groups,
  ema,
  ...rest
}: Record<string, unknown>): Record<string, unknown> {
  const details = {
    ...given({
      warmupEpochs,
      warmupStart,
      minLearningRate: minLr,
      every: stepEvery,
      factor: stepFactor,
      warmupShare,
      divFactor,
      finalDivFactor,
      anneal,
    }),
  };
  if (schedule === undefined && Object.keys(details).length > 0)
    throw needs("the schedule's details (--warmup-epochs, --step-every, ...)", '--schedule');
  const freezing = given({ parameters: freeze, depth: freezeDepth, unfreeze: thaw, batchNorm });
  if (freeze === undefined && freezeDepth === undefined && Object.keys(freezing).length > 0)
    throw needs('--unfreeze and --batch-norm', '--freeze or --freeze-depth');
  return {
    ...rest,
    schedule:
      schedule === undefined ? undefined : { type: schedule === 'onecycle' ? 'oneCycle' : schedule, ...details },
    freeze: Object.keys(freezing).length === 0 ? undefined : freezing,
    groups,
    ema: ema === undefined ? undefined : { decay: ema },
  };
}

function given(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function needs(flags: string, other: string): InvalidOptionError {
  return new InvalidOptionError(`covidct train: ${flags} belong to ${other}, which was not given`, [
    { path: other, message: 'missing' },
  ]);
}
