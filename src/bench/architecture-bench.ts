/** All measurements of one architecture, from one weight file. */
import { createReadStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CovidCtError } from '../errors';
import { packageFile } from '../addon/package-root';
import type { CheckedBenchOptions } from './options';
import type { Backend } from './backends';
import { imageBytes } from './images';
import { pytorchScript } from './peers';
import type { Peers } from './peers';
import { runTask } from './process';
import type { Outcome } from './process';
import { resultOf } from './results';
import type { Measured } from './results';
import type { TaskResult, CeilingsRow, Mode, ProgressRow, ResultRow, SharedFiles, Task } from './types';

/** Images of the step that gives the batch norms their statistics, and least images in the file. */
const PREPARE_BATCH = 4;

/** Small enough that rounding stays rounding over two steps. */
const LEARNING_RATE = 1e-3;

/** What an {@link ArchitectureBench} works with. */
export interface ArchitectureBenchOptions {
  readonly architecture: string;
  readonly options: CheckedBenchOptions;
  readonly threads: number;
  readonly peers: Peers;
  readonly ceilings: CeilingsRow;
  /** A temporary folder. */
  readonly dir: string;
}

/** Measures one architecture; its files are gone when it ends. */
export class ArchitectureBench {
  readonly #of: ArchitectureBenchOptions;
  readonly #dir: string;
  readonly #files: SharedFiles;

  constructor(of: ArchitectureBenchOptions) {
    this.#of = of;
    this.#dir = join(of.dir, of.architecture);
    const file = (name: string): string => join(this.#dir, name);
    this.#files = {
      model: file('model'),
      weights: file('weights.safetensors'),
      images: file('images.bin'),
      onnx: file('network.onnx'),
      script: file('network.pt'),
    };
  }

  /** Rows as they come. Throws AbortedError; CovidCtError ERR_NATIVE where not even the weights can be made. */
  async *measure(): AsyncGenerator<ResultRow | ProgressRow, void, undefined> {
    const {
      architecture,
      options: { what, batchSizes },
    } = this.#of;
    try {
      yield { type: 'measuring', text: `${architecture}: weights and exports` };
      const exportProblems = await this.#prepare();
      const flops = await this.#countFlops();
      const times = (mode: Mode): boolean => what.includes(mode) || (what.includes('memory') && mode !== 'cold');
      for (const mode of (['train', 'predict', 'cold'] as const).filter(times)) {
        for (const batchSize of mode === 'cold' ? [1] : batchSizes)
          yield* this.#group(mode, batchSize, exportProblems, flops);
      }
    } finally {
      await rm(this.#dir, { recursive: true, force: true });
    }
  }

  /** Every contender in turn, as many rounds as asked for; who fails is not asked again. */
  async *#group(
    mode: Mode,
    batchSize: number,
    exportProblems: ReadonlyMap<string, string>,
    flops: Flops | null,
  ): AsyncGenerator<ResultRow | ProgressRow, void, undefined> {
    const {
      architecture,
      options: { rounds, imageSize },
      peers,
      ceilings,
    } = this.#of;
    const measured = peers.contenders
      .filter((each) => each.modes.includes(mode))
      .map((contender): Measured => ({
        contender,
        milliseconds: [],
        peakBytes: [],
        numbers: null,
        problem: exportProblem(contender, mode, exportProblems),
      }));
    if (mode === 'cold') yield* this.#beforeCold(measured);
    for (let round = 0; round < rounds; round += 1) {
      for (const each of round % 2 === 0 ? measured : measured.toReversed()) {
        if (each.problem !== null) continue;
        const turn = `round ${round + 1} of ${rounds}: ${each.contender.title}`;
        yield { type: 'measuring', text: `${architecture}: ${mode}, batch ${batchSize}, ${turn}` };
        await this.#turn(each, mode, batchSize);
      }
    }
    const gigaflopsPerSecond =
      ceilings.matrixProducts === null
        ? null
        : Math.max(...ceilings.matrixProducts.map((each) => each.gigaflopsPerSecond));
    const flopsOfImage = flops === null ? null : mode === 'train' ? flops.training : flops.forward;
    yield resultOf(measured, { architecture, mode, batchSize, imageSize, flopsOfImage, gigaflopsPerSecond });
  }

  /** Everyone once, not measured, so that libraries come from the page cache as well. */
  async *#beforeCold(measured: readonly Measured[]): AsyncGenerator<ProgressRow, void, undefined> {
    for (const { contender, problem } of measured) {
      if (problem !== null) continue;
      yield { type: 'measuring', text: `${this.#of.architecture}: cold, before the first round: ${contender.title}` };
      await this.#run(contender, { mode: 'cold', batchSize: 1 });
    }
  }

  async #turn(measured: Measured, mode: Mode, batchSize: number): Promise<void> {
    const { contender } = measured;
    if (mode === 'cold') for (const file of startFiles(contender, this.#files)) await readThrough(file);
    const outcome = await this.#run(contender, { mode, batchSize });
    if ('problem' in outcome) {
      measured.problem = outcome.problem;
      return;
    }
    const { milliseconds, peakBytes, numbers } = outcome.result;
    // Asked for its memory alone it repeats once, which is no time to tell.
    if (this.#of.options.what.some((each) => each === mode))
      measured.milliseconds.push(milliseconds ?? outcome.firstLineMs);
    if (peakBytes !== undefined) measured.peakBytes.push(peakBytes);
    measured.numbers ??= numbers;
  }

  #run(
    contender: Pick<Backend, 'name' | 'runtime'>,
    part: Pick<Task, 'mode' | 'batchSize'>,
  ): Promise<Outcome<TaskResult>> {
    const { options } = this.#of;
    const env = {
      ...process.env,
      TORCHINDUCTOR_CACHE_DIR: join(this.#dir, 'inductor'),
      TORCHINDUCTOR_COMPILE_THREADS: '1',
    };
    const [command, script] =
      contender.runtime === 'python'
        ? [options.python, pytorchScript()]
        : [
            process.execPath,
            packageFile(contender.runtime === 'ours' ? 'dist/bench/worker.js' : 'dist/bench/onnxruntime-worker.js'),
          ];
    return runTask<TaskResult>(command, [script], this.#task(contender.name, part), {
      env,
      timeoutMs: options.timeoutMs,
      signal: options.signal,
    });
  }

  #task(contender: Backend['name'], part: Pick<Task, 'mode' | 'batchSize'>): Task {
    const {
      architecture,
      options: { imageSize, what },
      threads,
      peers,
    } = this.#of;
    const timed = what.some((each) => each === part.mode);
    return {
      ...this.#files,
      ...part,
      contender,
      architecture,
      imageSize,
      threads,
      learningRate: LEARNING_RATE,
      onnxruntime: peers.onnxruntime,
      minRepeats: timed ? 3 : 1,
      maxRepeats: 20,
      minSeconds: timed ? 2 : 0,
    };
  }

  /** Weights, images and the exported networks. Returns why an export failed, by the mode that should have made it. */
  async #prepare(): Promise<ReadonlyMap<string, string>> {
    const {
      options: { batchSizes, imageSize, what },
      peers,
    } = this.#of;
    await mkdir(this.#dir, { recursive: true });
    await writeFile(this.#files.images, imageBytes(Math.max(PREPARE_BATCH, ...batchSizes), imageSize));
    const made = await this.#run({ name: 'ours', runtime: 'ours' }, { mode: 'prepare', batchSize: PREPARE_BATCH });
    if ('problem' in made)
      throw new CovidCtError(
        'ERR_NATIVE',
        `the weights of ${this.#of.architecture} could not be made: ${made.problem}`,
      );
    const has = (name: Backend['name']): boolean => peers.contenders.some((each) => each.name === name);
    const exports: Task['mode'][] = [];
    if (has('onnxruntime') && what.some((each) => each !== 'train')) exports.push('export-onnx');
    if (has('torchscript') && what.includes('cold')) exports.push('export-script');
    const problems = new Map<string, string>();
    for (const mode of exports) {
      const outcome = await this.#run({ name: 'pytorch', runtime: 'python' }, { mode, batchSize: 1 });
      if ('problem' in outcome) problems.set(mode, `the network could not be exported: ${outcome.problem}`);
    }
    return problems;
  }

  async #countFlops(): Promise<Flops | null> {
    const { options, peers } = this.#of;
    if (!peers.pytorch) return null;
    const outcome = await runTask<Flops>(
      options.python,
      [pytorchScript()],
      this.#task('pytorch', { mode: 'flops', batchSize: 1 }),
      { timeoutMs: options.timeoutMs, signal: options.signal },
    );
    return 'problem' in outcome ? null : outcome.result;
  }
}

/** Multiplications for one image: forward; forward and backward. */
interface Flops {
  readonly forward: number;
  readonly training: number;
}

function exportProblem({ name }: Backend, mode: Mode, problems: ReadonlyMap<string, string>): string | null {
  if (name === 'onnxruntime') return problems.get('export-onnx') ?? null;
  return name === 'torchscript' && mode === 'cold' ? (problems.get('export-script') ?? null) : null;
}

/** What a contender reads when it starts. */
function startFiles({ name }: Backend, files: SharedFiles): string[] {
  return [name === 'onnxruntime' ? files.onnx : name === 'torchscript' ? files.script : files.weights, files.images];
}

/** So that every cold start finds its files in the page cache, none by the luck of its place in the order. */
async function readThrough(file: string): Promise<void> {
  for await (const _ of createReadStream(file, { highWaterMark: 2 ** 22 })) void _;
}
