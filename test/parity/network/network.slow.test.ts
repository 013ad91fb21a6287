/** The networks against numbers that reference.py wrote with PyTorch and torchvision. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadNative } from '../../../src/addon/load';
import { BOUNDS, CANCELING_MEAN, runRecipe } from './recipe';

interface Sampled {
  readonly norm: number;
  readonly positions: readonly number[];
  readonly values: readonly number[];
}

type Reference = Record<string, Record<string, Sampled>>;

const { processors } = JSON.parse(readFileSync(join(__dirname, 'reference.json'), 'utf8')) as {
  processors: Record<string, Record<string, Reference>>;
};

function rms(tensor: Sampled, length: number): number {
  return tensor.norm / Math.sqrt(Math.max(1, length));
}

/**
 * Largest difference of a sampled entry and of the root mean square, relative to the tensor's root mean square.
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

/**
 * Of EfficientNet on a processor that is not on record: its last batch norms see 16 numbers of a channel, and enlarge
 * rounding so much that PyTorch on two kinds of processors differs by 3e-4 in gradients, and by far more in trained
 * weights.
 */
const ELSEWHERE: Readonly<Record<string, number>> = { init: 1e-5, logits: 1e-5, gradients: 1e-3 };

const names = [...new Set(Object.values(processors).flatMap((each) => Object.keys(each)))];

interface Worst {
  readonly tensor: string;
  readonly distance: number;
}

/**
 * What a tensor's root mean square is at least taken for: that of the weight beside a bias in front of batch norm, and
 * the deviation beside a running mean that is a sum of numbers that cancel.
 */
function scaleBeside(
  tensor: string,
  expected: Record<string, Sampled>,
  values: Record<string, Float32Array | Float64Array>,
): number {
  const beside = tensor.replace(/\.bias$/, '.weight').replace(/\.running_mean$/, '.running_var');
  if (!CANCELING_MEAN.test(tensor) && tensor.endsWith('.running_mean'))
    return rms(expected[tensor]!, values[tensor]?.length ?? 0);
  const scale = rms(expected[beside]!, values[beside]?.length ?? 0);
  return CANCELING_MEAN.test(tensor) ? Math.sqrt(scale) : scale;
}

/** The tensor of a section that lies farthest from a reference. */
function worstOf(expected: Record<string, Sampled>, values: Record<string, Float32Array | Float64Array>): Worst {
  const all = Object.entries(expected).map(([tensor, sampled]) => {
    const beside = scaleBeside(tensor, expected, values);
    return { tensor, distance: values[tensor] ? distance(values[tensor], sampled, beside) : Infinity };
  });
  return all.sort((a, b) => b.distance - a.distance)[0]!;
}

describe.each(names)('%s equals torchvision', (name) => {
  const references = Object.values(processors).flatMap((each): Reference[] => (each[name] ? [each[name]] : []));
  const nearest: Record<string, Worst> = {};
  const tensors: Record<string, string[]> = {};

  beforeAll(async () => {
    // The sampled entries are all that is compared: the rest is dropped at once, VGG19 has 139 million numbers.
    await runRecipe(name, (section, values) => {
      const all = references.map((reference) => worstOf(reference[section]!, values));
      nearest[section] = all.sort((a, b) => a.distance - b.distance)[0]!;
      tensors[section] = Object.keys(values);
    });
  }, 300_000);

  test('names and order are those of its state_dict', () => {
    for (const section of ['init', 'gradients']) {
      for (const reference of references) expect(tensors[section]).toEqual(Object.keys(reference[section]!));
    }
  });

  // PyTorch is as exact with itself on one kind of processor alone; we must be what it is on one of those on record.
  const bounds =
    processors[loadNative().info().cpuCapability]?.[name] === undefined && name.startsWith('efficientnet')
      ? ELSEWHERE
      : BOUNDS;
  test.each(Object.entries(bounds))('%s within %d', (section, bound) => {
    expect(nearest[section]).toBeDefined();
    // The fixture keeps nine digits, which is where "equal bits" ends up.
    expect({ ...nearest[section], within: nearest[section]!.distance <= Math.max(bound, 2e-8) }).toMatchObject({
      within: true,
    });
  });
});
