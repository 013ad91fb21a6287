/** Finding onnxruntime-node, which is no dependency of this package. */
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** Its main file and version, or why there is none and how to get it. */
export type OnnxRuntime = { readonly file: string; readonly version: string } | { readonly problem: string };

/** The part of onnxruntime-node that is used. */
export interface OnnxRuntimeModule {
  readonly InferenceSession: {
    create(
      path: string,
      options: { executionProviders: string[]; intraOpNumThreads: number; graphOptimizationLevel: 'all' },
    ): Promise<OnnxSession>;
  };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => unknown;
}

export interface OnnxSession {
  run(feeds: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>;
}

/**
 * Looks in the `node_modules` of a folder and of those above it.
 *
 * @param folder the working directory where left out
 */
export function findOnnxRuntime(folder: string | undefined): OnnxRuntime {
  const from = resolve(folder ?? '.');
  try {
    const file = createRequire(join(from, 'any.js')).resolve('onnxruntime-node');
    const { version } = JSON.parse(readFileSync(join(packageFolder(file), 'package.json'), 'utf8')) as {
      version: string;
    };
    return { file, version };
  } catch {
    return {
      problem:
        `no onnxruntime-node was found from ${from}: run ` +
        `\`ONNXRUNTIME_NODE_INSTALL_CUDA=skip npm install --prefix DIR onnxruntime-node\` ` +
        'and give --onnxruntime DIR',
    };
  }
}

function packageFolder(file: string): string {
  const name = join('node_modules', 'onnxruntime-node');
  const end = file.lastIndexOf(name);
  return end < 0 ? dirname(file) : file.slice(0, end + name.length);
}
