/** Fitting a file's tensors to a network's: what is taken, renamed, summed, left, allowed and refused. */
import { matchWeights, assertMatch } from '../../../src/weights/match';
import type { MatchOptions } from '../../../src/weights/match';
import type { NativeTensor, NativeTensorSource } from '../../../src/addon/types';

const NETWORK: NativeTensor[] = [
  { name: 'features.conv0.weight', shape: [8, 3, 7, 7], dtype: 'F32', kind: 'parameter' },
  { name: 'features.denseblock1.denselayer12.norm1.weight', shape: [8], dtype: 'F32', kind: 'parameter' },
  { name: 'features.denseblock1.denselayer12.norm1.num_batches_tracked', shape: [], dtype: 'I64', kind: 'buffer' },
  { name: 'classifier.weight', shape: [2, 8], dtype: 'F32', kind: 'parameter' },
  { name: 'classifier.bias', shape: [2], dtype: 'F32', kind: 'parameter' },
];
const gray = NETWORK.map((tensor) => (tensor.shape.length === 4 ? { ...tensor, shape: [8, 1, 7, 7] } : tensor));

/** The network's own tensors as a file's, with changes: another shape, or null for not there. */
function sources(changes: Readonly<Record<string, readonly number[] | null>> = {}): NativeTensorSource[] {
  const own = NETWORK.map(({ name, shape, dtype }) => ({ name, dtype, shape, offset: 0 }));
  const added = Object.keys(changes)
    .filter((name) => !own.some((each) => each.name === name))
    .map((name) => ({ name, dtype: 'F32', shape: [] as readonly number[], offset: 0 }));
  return [...own, ...added].flatMap((each) =>
    changes[each.name] === null ? [] : [{ ...each, shape: changes[each.name] ?? each.shape }],
  );
}

function outcome(file: NativeTensorSource[], options: MatchOptions = {}, network = NETWORK): string {
  const { report } = matchWeights('x.pth', network, file, options);
  try {
    assertMatch('x.pth', 'densenet121', report, file, options);
    return 'fits';
  } catch (error) {
    return (error as Error).message;
  }
}

test("everything there and of the right shape: everything is taken, in the network's order", () => {
  const { plan, report } = matchWeights('x.pth', NETWORK, sources().toReversed());
  expect(plan.map(({ name }) => name)).toEqual(NETWORK.map(({ name }) => name));
  expect(report).toEqual({
    loaded: NETWORK.map(({ name }) => name),
    missing: [],
    unexpected: [],
    shapeMismatch: [],
    replacedHead: [],
    summedInput: [],
    notes: [],
  });
});

test('older DenseNet checkpoints: norm.1 is norm1, and that is said', () => {
  const old = sources().map((each) => ({ ...each, name: each.name.replace('norm1', 'norm.1') }));
  const { plan, report } = matchWeights('x.pth', NETWORK, old);
  expect(plan.map(({ name }) => name)).toEqual(NETWORK.map(({ name }) => name));
  expect(report.notes).toEqual(['2 names of older DenseNet checkpoints were brought up to date']);
});

test('RGB filters on gray input are summed, and only those of the first convolution', () => {
  const { plan, report } = matchWeights('x.pth', gray, sources());
  expect(plan[0]).toMatchObject({ name: 'features.conv0.weight', sumInput: true });
  expect(report.summedInput).toEqual(['features.conv0.weight']);
  expect(plan.slice(1).some(({ sumInput }) => sumInput)).toBe(false);
  expect(outcome(sources({ 'features.conv0.weight': [8, 4, 7, 7] }), {}, gray)).toMatch(
    /expected \[8, 1, 7, 7\], got \[8, 4, 7, 7\]/,
  );
  expect(outcome(sources({ 'features.conv0.weight': [8, 1, 7, 7] }))).toMatch(
    /expected \[8, 3, 7, 7\], got \[8, 1, 7, 7\]/,
  );
});

test('a head of another size is an error, or replaced whole: a bias that happens to fit is not taken alone', () => {
  const other = sources({ 'classifier.weight': [2, 9] });
  expect(outcome(other)).toMatch(/classifier\.weight \(expected \[2, 8\], got \[2, 9\]\)/);
  expect(outcome(other, { replaceHead: true })).toBe('fits');
  expect(
    matchWeights('x.pth', NETWORK, other, { replaceHead: true }).report.replacedHead.map(({ name }) => name),
  ).toEqual(['classifier.weight', 'classifier.bias']);
  expect(outcome(sources({ 'features.conv0.weight': [9, 3, 7, 7] }), { replaceHead: true })).toMatch(/other shapes/);
});

test('missing names: an error, but for counts of batches; allowed by name, by prefix, or all', () => {
  expect(outcome(sources({ 'features.denseblock1.denselayer12.norm1.num_batches_tracked': null }))).toBe('fits');
  const without = sources({ 'classifier.bias': null, 'classifier.weight': null });
  expect(outcome(without)).toMatch(/lacks classifier\.weight, classifier\.bias/);
  expect(outcome(without, { allowMissing: ['classifier.bias'] })).toMatch(/lacks classifier\.weight\./);
  expect(outcome(without, { allowMissing: ['classifier'] })).toMatch(/lacks classifier\.weight, classifier\.bias/); // neither a name nor a prefix with its dot
  expect(outcome(without, { allowMissing: ['classifier.'] })).toBe('fits');
  expect(outcome(without, { allowMissing: true })).toBe('fits');
  expect(matchWeights('x.pth', NETWORK, without).report.missing).toEqual(['classifier.weight', 'classifier.bias']);
});

test('unexpected names: an error; allowed by name, by prefix, or all, and never used', () => {
  const more = sources({ 'aux.weight': [1], 'aux.bias': [1] });
  expect(outcome(more)).toMatch(/has aux\.weight, aux\.bias, which the network does not have/);
  expect(outcome(more, { allowUnexpected: ['aux.weight'] })).toMatch(/has aux\.bias, which/);
  expect(outcome(more, { allowUnexpected: ['aux.'] })).toBe('fits');
  expect(outcome(more, { allowUnexpected: true })).toBe('fits');
  expect(matchWeights('x.pth', NETWORK, more, { allowUnexpected: true }).report).toMatchObject({
    unexpected: ['aux.weight', 'aux.bias'],
    loaded: NETWORK.map(({ name }) => name),
  });
});

test('a file of which nothing fits is an error whatever is allowed', () => {
  expect(
    outcome([{ name: 'other', dtype: 'F32', shape: [1], offset: 0 }], { allowMissing: true, allowUnexpected: true }),
  ).toMatch(/none of its tensors/);
});

test('a head by other names, or none, is told from weights that do not fit, with the flags that let it begin anew', () => {
  const gone = { 'classifier.weight': null, 'classifier.bias': null };
  expect(outcome(sources(gone))).toContain('covidct import --allow-missing classifier.weight,classifier.bias)');
  const renamed = outcome(sources({ ...gone, 'classifier.1.weight': [2, 8], 'classifier.1.bias': [2] }));
  expect(renamed).toContain(
    'covidct import --allow-missing classifier.weight,classifier.bias ' +
      '--allow-unexpected classifier.1.weight,classifier.1.bias)',
  );
  const allowed = {
    allowMissing: ['classifier.weight', 'classifier.bias'],
    allowUnexpected: ['classifier.1.weight', 'classifier.1.bias'],
  };
  expect(outcome(sources({ ...gone, 'classifier.1.weight': [2, 8], 'classifier.1.bias': [2] }), allowed)).toBe('fits');
  expect(outcome(sources({ ...gone, 'features.conv0.weight': null }))).toContain('Check the architecture');
});
