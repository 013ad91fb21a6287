/** The public face: how many names an entry has, and that no name and no thing is exported twice. */
import { ENTRIES, publicNames } from './entries';

const { names } = publicNames();
const values = (entry: string) => names.filter((each) => each.entry === entry && each.isValue).map(({ name }) => name);

/** Elements that occur more than once. */
function repeated<T>(list: readonly T[]): T[] {
  return [...new Set(list.filter((each, at) => list.indexOf(each) !== at))];
}

test('the package has seven entries', () => {
  expect(ENTRIES.map(({ name }) => name)).toEqual([
    'covidct-torch',
    'covidct-torch/metrics',
    'covidct-torch/report',
    'covidct-torch/runs',
    'covidct-torch/weights',
    'covidct-torch/bench',
    'covidct-torch/setup',
  ]);
});

test('the main entry has at most fifty names, the others twenty-four at most', () => {
  expect(values('covidct-torch').length).toBeLessThanOrEqual(50);
  for (const { name } of ENTRIES.slice(1)) expect([name, values(name).length > 24]).toEqual([name, false]);
});

test('no name is exported by two entries, and nothing under two names', () => {
  expect(repeated(names.map(({ name }) => name))).toEqual([]);
  expect(repeated(names.map(({ symbol }) => symbol)).map(({ name }) => name)).toEqual([]);
  // One function under two names would be two symbols where it is assigned; the values themselves are compared too.
  const things = ENTRIES.flatMap(({ file }) =>
    Object.values(jest.requireActual<Record<string, unknown>>(file.replace(/\.d\.ts$/, '.js'))),
  ).filter((each) => typeof each === 'function' || (typeof each === 'object' && each !== null));
  expect(repeated(things)).toEqual([]);
});

test('what the compiler calls a value is there when the entry is loaded, and nothing else', () => {
  for (const { name, file } of ENTRIES) {
    const loaded = Object.keys(jest.requireActual<object>(file.replace(/\.d\.ts$/, '.js')));
    expect([name, loaded.sort()]).toEqual([name, values(name).sort()]);
  }
});
