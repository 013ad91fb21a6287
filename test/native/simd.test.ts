/**
 * Our kernels as compiled for each instruction set, against LibTorch's layers: answers and gradients, odd sizes,
 * channels that fill no vector.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

interface Row {
  readonly logits: readonly number[];
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

interface Heads {
  /** Logits of 1, 2, ... rows, three a row. */
  readonly auto: readonly (readonly number[])[];
  readonly libtorch: readonly (readonly number[])[];
}

type Rows = Readonly<Record<string, Row>> & { readonly heads: Heads };

const runWith = (simd: string): Rows =>
  JSON.parse(
    execFileSync(process.execPath, [join(__dirname, 'child', 'simd.cjs')], {
      env: { ...process.env, COVIDCT_SIMD: simd },
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    }),
  ) as Rows;

function distance(ours: readonly number[], theirs: readonly number[]): number {
  const size = Math.sqrt(theirs.reduce((sum, value) => sum + value ** 2, 0));
  return Math.sqrt(theirs.reduce((sum, value, i) => sum + (value - ours[i]!) ** 2, 0)) / size;
}

const found: Record<string, Rows> = {};

// An instruction set that the processor has not falls back to the next lesser one.
test.each(['base', 'avx2', 'avx512'])(
  '%s',
  (simd) => {
    const rows = runWith(simd);
    found[simd] = rows;
    for (const architecture of ['tiny', 'resnet18']) {
      const [ours, theirs] = [rows[`${architecture} winograd`]!, rows[`${architecture} libtorch`]!];
      expect(distance(ours.logits, theirs.logits)).toBeLessThan(1e-5);
      for (const [name, values] of Object.entries(theirs.gradients))
        expect([name, distance(ours.gradients[name] as number[], values) < 1e-4]).toEqual([name, true]);
    }
    expect(Object.keys(rows['tiny winograd']!.gradients)).toHaveLength(6);
    const { auto, libtorch } = rows.heads;
    auto.forEach((logits, i) => {
      expect(logits).toHaveLength(3 * (i + 1));
      expect(distance(logits, libtorch[i] as number[])).toBeLessThan(1e-6);
      // The rows beside a row do not matter to its bits: up to 32 rows are our own.
      if (i < 32) expect(logits).toEqual(auto[31]?.slice(0, 3 * (i + 1)));
    });
    expect(auto[31]).not.toEqual(libtorch[31]);
    expect(auto[33]).toEqual(libtorch[33]);
  },
  120_000,
);

(process.arch === 'x64' && process.platform === 'linux' ? test : test.skip)(
  'the variable truly chooses: the base set, without fused multiply-add, rounds otherwise',
  () => {
    expect(found['base']?.['tiny winograd']?.logits).not.toEqual(found['avx2']?.['tiny winograd']?.logits);
    expect(found['base']?.['tiny libtorch']?.logits).toEqual(found['avx2']?.['tiny libtorch']?.logits);
  },
);
