/** The networks against numbers that reference.py wrote with PyTorch and torchvision. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BOUNDS, runRecipe } from './recipe';

interface Sampled {
  readonly norm: number;
  readonly positions: readonly number[];
  readonly values: readonly number[];
}

const { architectures } = JSON.parse(readFileSync(join(__dirname, 'reference.json'), 'utf8')) as {
  architectures: Record<string, Record<string, Record<string, Sampled>>>;
};

function rms(tensor: Sampled, length: number): number {
  return tensor.norm / Math.sqrt(Math.max(1, length));
}

/**
 * Largest difference of a sampled entry and of the root mean square, relative to the tensor's root mean square. A bias in
 * front of batch norm has no gradient but rounding noise: the weight beside it is the measure then.
 */
function distance(ours: Float32Array | Float64Array, theirs: Sampled, beside: number): number {
  let squares = 0;
  for (const value of ours) squares += value * value;
  const norm = Math.sqrt(squares);
  const scale = Math.max(rms(theirs, ours.length), beside, 1e-12);
  const apart = theirs.positions.map((position, i) => Math.abs(ours[position]! - theirs.values[i]!));
  const largest = Math.max(
    0,
    ...apart.map((difference, i) => difference / Math.max(scale, Math.abs(theirs.values[i]!))),
  );
  return Math.max(largest, Math.abs(norm - theirs.norm) / Math.sqrt(Math.max(1, ours.length)) / scale);
}

describe.each(Object.keys(architectures))('%s equals torchvision', (name) => {
  const measured: Record<string, Record<string, number>> = {};
  const names: Record<string, string[]> = {};

  beforeAll(async () => {
    // The sampled entries are all that is compared: the rest is dropped at once, VGG19 has 139 million numbers.
    await runRecipe(name, (section, values) => {
      const expected = architectures[name]?.[section] ?? {};
      measured[section] = Object.fromEntries(
        Object.entries(expected).map(([tensor, sampled]) => {
          const weight = tensor.endsWith('.bias') ? tensor.replace(/bias$/, 'weight') : tensor;
          const beside = rms(expected[weight]!, values[weight]?.length ?? 0);
          return [tensor, values[tensor] ? distance(values[tensor], sampled, beside) : Infinity];
        }),
      );
      names[section] = Object.keys(values);
    });
  }, 300_000);

  test('names and order are those of its state_dict', () => {
    expect(names.init).toEqual(Object.keys(architectures[name]?.init ?? {}));
    expect(names.gradients).toEqual(Object.keys(architectures[name]?.gradients ?? {}));
  });

  test.each(Object.entries(BOUNDS))('%s within %d', (section, bound) => {
    const worst = Object.entries(measured[section] ?? {}).sort(([, a], [, b]) => b - a)[0];
    expect(worst).toBeDefined();
    // The fixture keeps nine digits, which is where "equal bits" ends up.
    expect({
      tensor: worst?.[0],
      within: (worst?.[1] ?? Infinity) <= Math.max(bound, 2e-8),
      distance: worst?.[1],
    }).toMatchObject({ within: true });
  });
});
