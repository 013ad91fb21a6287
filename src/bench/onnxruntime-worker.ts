/** Run as a process of its own by the benchmark: ONNX Runtime's prediction of the exported network. */
import { messageOf } from '../errors';
import { peakMemory } from '../model/peak-memory';
import { normalized, readImages } from './images';
import type { OnnxRuntimeModule } from './onnxruntime';
import { repeat } from './repeat';
import type { TaskResult, Task } from './types';

async function measure(task: Task): Promise<TaskResult> {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { InferenceSession, Tensor } = require(task.onnxruntime) as OnnxRuntimeModule;
  const session = await InferenceSession.create(task.onnx, {
    executionProviders: ['cpu'],
    intraOpNumThreads: task.threads,
    graphOptimizationLevel: 'all',
  });
  const images = new Tensor('float32', normalized(readImages(task)), [
    task.batchSize,
    3,
    task.imageSize,
    task.imageSize,
  ]);
  const predict = async (): Promise<number[]> =>
    Array.from(((await session.run({ images }))['logits'] as { data: Float32Array }).data);
  if (task.mode === 'cold') return { numbers: await predict() };
  const { results, milliseconds } = await repeat(task, predict);
  return { numbers: results[0]!, milliseconds, peakBytes: peakMemory() };
}

measure(JSON.parse(process.argv[2]!) as Task).then(
  (result) => {
    process.stdout.write(`${JSON.stringify(result)}\n`);
  },
  (error: unknown) => {
    process.stderr.write(`${messageOf(error).split('\n')[0]}\n`);
    process.exitCode = 1;
  },
);
