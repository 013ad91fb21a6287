/** How much memory an architecture takes in training and in prediction: measured, each in a process of its own. */
import { z } from 'zod';
import { AbortedError, CovidCtError, InvalidOptionError, messageOf } from '../errors';
import { packageFile } from '../addon/package-root';
import { loadNative } from '../addon/load';
import { runLogged } from '../files/run-logged';
import { nameSchema } from '../options/atoms';
import { checkArgument, checkOptions } from '../options/check';
import { sizesOptionsSchema } from './sizes-options';
import type { SizesOptions } from './sizes-options';

/** What a process of its own took; all null where it failed, for the reason given. */
export interface MemoryUse {
  /** Most memory the whole process held at a time, in bytes. */
  readonly peakBytes: number | null;
  /** What of it the libraries took before there was a network, in bytes. */
  readonly baselineBytes: number | null;
  /** Why it could not be measured; null where it was. */
  readonly problem: string | null;
}

/** Memory of one architecture; on the CPU, in float32. */
export interface ArchitectureSizes {
  readonly architecture: string;
  /** Trainable numbers; null when nothing could be measured. */
  readonly parameters: number | null;
  /** Bytes of parameters and buffers. */
  readonly weightBytes: number | null;
  /** Two steps of forward, backward and SGD with momentum. */
  readonly training: MemoryUse;
  /** Two predictions. */
  readonly prediction: MemoryUse;
  /** The same of torchvision's network in PyTorch; null when no Python was given. */
  readonly pytorch: { readonly training: MemoryUse; readonly prediction: MemoryUse } | null;
}

/** What is asked of a measuring process, as JSON in its first argument. */
export interface SizeTask {
  readonly architecture: string;
  readonly mode: 'training' | 'prediction';
  readonly imageSize: number;
  readonly batchSize: number;
  readonly threads: number;
}

/** What it returns, as JSON in its last line. */
export interface SizeResult {
  readonly peak: number;
  readonly baseline: number;
  readonly parameters?: number;
  readonly weights?: number;
}

/**
 * Names of the architectures, `vgg11` to `tiny`. Loads the addon.
 *
 * @example
 * ```ts
 * import { architectures } from 'covidct-torch';
 *
 * console.log(architectures().filter((name) => name.startsWith('resnet')));
 * ```
 */
export function architectures(): string[] {
  return loadNative().architectures();
}

/**
 * Measures the peak memory of a training and of a prediction, one process after another, on the CPU.
 *
 * @param names architectures of {@link architectures}
 * @returns one result for each name, as soon as it is measured; what could not be measured says why
 * @throws InvalidOptionError; AbortedError, with no process left behind; LibTorchNotFoundError and ERR_ADDON_*
 * @example
 * ```ts
 * import { measureSizes } from 'covidct-torch/bench';
 *
 * for await (const { architecture, training } of measureSizes(['resnet18'], { imageSize: 224, batchSize: 8 })) {
 *   console.log(architecture, training.peakBytes);
 * }
 * ```
 */
export async function* measureSizes(
  names: readonly string[],
  options: SizesOptions = {},
): AsyncGenerator<ArchitectureSizes, void, undefined> {
  const { signal, python, imageSize, batchSize, predictBatchSize, threads } = checkOptions(
    sizesOptionsSchema,
    options,
    'measureSizes',
  );
  checkArgument(z.array(nameSchema).readonly(), names, 'measureSizes', 'names');
  const known = architectures();
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new InvalidOptionError(`measureSizes: expected an architecture of ${known.join(', ')}; got '${unknown}'`, [
      { path: 'architectures', message: 'unknown architecture' },
    ]);
  for (const architecture of names) {
    const ask = (mode: SizeTask['mode'], peer: boolean): Promise<MemoryUse & { result?: SizeResult }> => {
      const task: SizeTask = {
        architecture,
        mode,
        imageSize,
        threads,
        batchSize: mode === 'training' ? batchSize : predictBatchSize,
      };
      return measured(
        peer
          ? [python!, packageFile('scripts/measure_pytorch.py')]
          : [process.execPath, packageFile('dist/model/measure-process.js')],
        task,
        signal,
      );
    };
    const training = await ask('training', false);
    const prediction = await ask('prediction', false);
    const pytorch =
      python === undefined
        ? null
        : {
            training: withoutResult(await ask('training', true)),
            prediction: withoutResult(await ask('prediction', true)),
          };
    const facts = training.result ?? prediction.result;
    yield {
      architecture,
      parameters: facts?.parameters ?? null,
      weightBytes: facts?.weights ?? null,
      training: withoutResult(training),
      prediction: withoutResult(prediction),
      pytorch,
    };
  }
}

function withoutResult({ peakBytes, baselineBytes, problem }: MemoryUse): MemoryUse {
  return { peakBytes, baselineBytes, problem };
}

async function measured(
  [command, script]: string[],
  task: SizeTask,
  signal: AbortSignal | undefined,
): Promise<MemoryUse & { result?: SizeResult }> {
  try {
    const { status, tail } = await runLogged(command!, [script!, JSON.stringify(task)], { signal });
    const last = tail.split('\n').findLast((line) => line.trim() !== '') ?? '';
    if (status === 0) {
      const result = JSON.parse(last) as SizeResult;
      return { peakBytes: result.peak, baselineBytes: result.baseline, problem: null, result };
    }
    return failed(status === null ? 'the process was killed, most likely because memory ran out' : last);
  } catch (error) {
    if (signal?.aborted === true) throw new AbortedError();
    if (error instanceof CovidCtError) throw error;
    return failed(messageOf(error));
  }
}

function failed(problem: string): MemoryUse {
  return { peakBytes: null, baselineBytes: null, problem };
}
