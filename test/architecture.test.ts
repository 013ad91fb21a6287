/** The house rules a machine can check: no import points upward, the fences hold, no file has outgrown its reason. */
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { circles, filesBelow, headerEdges, importsOf, sourceEdges } from '../scripts/import-graph.cjs';
import { changesBesideTheHook } from './helpers/file-changes';

const ROOT = join(__dirname, '..');
const SRC = join(ROOT, 'src');

/** What each room may import from, beside itself and packages. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  text: [],
  errors: ['text'],
  'intended-use': [],
  files: ['text', 'errors'],
  options: ['text', 'errors'],
  addon: ['errors', 'files'],
  install: ['errors', 'files', 'options', 'addon'],
  data: ['text', 'errors', 'files', 'options', 'addon'],
  weights: ['errors', 'files', 'options', 'addon', 'data'],
  model: ['errors', 'intended-use', 'files', 'options', 'addon', 'data', 'weights'],
  metrics: ['text', 'errors', 'files', 'options'],
  log: ['text', 'errors', 'files', 'options', 'metrics'],
  train: ['text', 'errors', 'files', 'options', 'addon', 'data', 'weights', 'model', 'metrics', 'log'],
  predictor: ['text', 'errors', 'options', 'data', 'model', 'metrics', 'train'],
  report: ['errors', 'intended-use', 'files', 'options', 'data', 'model', 'metrics', 'train', 'log'],
  runs: ['text', 'errors', 'files', 'options', 'metrics', 'train'],
  bench: ['errors', 'options', 'addon', 'data', 'model'],
  index: ['errors', 'files', 'data', 'weights', 'model', 'metrics', 'train', 'log', 'predictor'],
  cli: [
    'index',
    'text',
    'errors',
    'intended-use',
    'files',
    'options',
    'install',
    'data',
    'weights',
    'model',
    'train',
    'report',
    'runs',
    'bench',
    'metrics',
  ],
};

/** Rooms of which only types may be imported, because of what their values would pull in. */
const TYPES_ONLY: Readonly<Record<string, readonly string[]>> = {
  report: ['model'],
};

function roomOf(file: string): string {
  return relative(SRC, file).replace(/\.ts$/, '').split('/')[0]!;
}

const sources = filesBelow(SRC, /\.ts$/);

/** Examples in doc comments may print. */
const withoutDocs = (text: string): string => text.replace(/^ *\*.*$/gm, '');

test('no import points upward, and every permission is used', () => {
  const wrong: string[] = [];
  const used = new Set<string>();
  for (const file of sources) expect(Object.keys(MAY_IMPORT)).toContain(roomOf(file));
  for (const { from, to, typeOnly } of sourceEdges(ROOT)) {
    const [room, other] = [roomOf(from), roomOf(to)];
    if (room === other) continue;
    used.add(`${room} -> ${other}`);
    const allowed = MAY_IMPORT[room]?.includes(other) && (typeOnly || !TYPES_ONLY[room]?.includes(other));
    if (!allowed) wrong.push(`${relative(ROOT, from)} imports ${relative(ROOT, to)}${typeOnly ? ' (types)' : ''}`);
  }
  expect(wrong).toEqual([]);
  const allowed = Object.entries(MAY_IMPORT).flatMap(([room, others]) => others.map((other) => `${room} -> ${other}`));
  expect(allowed.filter((each) => !used.has(each))).toEqual([]);
});

const named = (groups: readonly (readonly string[])[]): string[][] =>
  groups.map((files) => files.map((file) => relative(ROOT, file)));

test('no source imports itself by way of others, types included', () => {
  const edges = sourceEdges(ROOT);
  expect(edges.length).toBeGreaterThan(sources.length);
  expect(named(circles(edges))).toEqual([]);
});

/** The rooms that everything may stand on; the drawing leaves them out. */
const GROUND = ['text', 'errors', 'intended-use', 'files', 'options'];

/** Pairs of rooms that the table allows and that do not follow from others. */
function drawnImports(): string[] {
  const above = Object.keys(MAY_IMPORT).filter((room) => !GROUND.includes(room));
  const next = (room: string) =>
    MAY_IMPORT[room]!.filter((each) => above.includes(each) && !TYPES_ONLY[room]?.includes(each));
  const reaches = (from: string, to: string): boolean => next(from).some((each) => each === to || reaches(each, to));
  return above.flatMap((room) =>
    next(room)
      .filter((to) => !next(room).some((other) => other !== to && reaches(other, to)))
      .map((to) => `${room} --> ${to}`),
  );
}

test('docs/architecture.md draws the imports that the table allows', () => {
  const text = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
  const drawing = /```mermaid\n([\s\S]*?)```/.exec(text)![1]!.replace(/\["[^"]*"\]/g, '');
  const drawn = [...drawing.matchAll(/(\w+) --> (\w+)/g)].map(([edge]) => edge);
  expect(drawn.sort()).toEqual(drawnImports().sort());
  for (const room of GROUND) expect(text).toContain(`\`${room}\``);
});

test.each(['CONTRIBUTING.md', 'SECURITY.md', 'docs/architecture.md', 'docs/kinds.md'])(
  'every file that %s names is there',
  (document) => {
    const text = readFileSync(join(ROOT, document), 'utf8');
    const paths = [...text.matchAll(/`((?:src|native|test|scripts|docs)\/[\w./-]*)`/g)].map((match) => match[1]!);
    expect(paths.length).toBeGreaterThan(3);
    expect([...new Set(paths)].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  },
);

test('the entries are for users: of the sources only the command line imports them', () => {
  const wrong = sources.flatMap((file) =>
    importsOf(file)
      .filter(({ target }) => /^\.{1,2}(\/[\w.]+)*\/index$/.test(target))
      .filter(() => roomOf(file) !== 'cli')
      .map(({ target }) => `${relative(ROOT, file)} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test.each([
  ['sharp', ['src/data/images/libvips.ts', 'src/report/overlay.ts']],
  ['yauzl', ['src/files/zip-directory.ts']],
  ['commander', filesBelow(join(SRC, 'cli'), /\.ts$/).map((file) => relative(ROOT, file))],
])("only %s's own files import it", (name, allowed) => {
  const importers = sources.filter((file) => importsOf(file).some(({ target }) => target === name));
  expect(importers.length).toBeGreaterThan(0);
  expect(importers.map((file) => relative(ROOT, file)).filter((file) => !allowed.includes(file))).toEqual([]);
});

test('people are told through one door: in the command line only io and main write to a stream', () => {
  const writers = sources
    .filter((file) => /\bstd(out|err)\b[^;]*\.write\(|console\.\w+\(/.test(withoutDocs(readFileSync(file, 'utf8'))))
    .map((file) => relative(ROOT, file));
  // The measuring processes talk to their parent in JSON.
  expect(writers.filter((file) => !/(-process|worker)\.ts$/.test(file)).sort()).toEqual([
    'src/cli/io.ts',
    'src/cli/main.ts',
  ]);
});

test("the lines of a message are an array: a line's end in a string would be shown as an escape", () => {
  const wrong = sources.flatMap((file) =>
    [
      ...readFileSync(file, 'utf8').matchAll(
        /(?:new \w+Error\(|(?<!function )\b(?:print|note)\()[^;]*?(?<!split\(')\\n[^;]*;/g,
      ),
    ].map(([text]) => `${relative(ROOT, file)}: ${text}`),
  );
  expect(wrong).toEqual([]);
});

test('an error about an argument names a function that exists', () => {
  const texts = sources.map((file) => readFileSync(file, 'utf8'));
  const all = texts.join('\n');
  const called = /\bcheck(?:Argument|Options)\(\s*[^'`;]*?,\s*'(\w+)(?:\.(\w+))?'/g;
  const named = texts.flatMap((text) => [...text.matchAll(called)]);
  expect(named.length).toBeGreaterThan(50);
  const exists = ([, owner, member]: RegExpExecArray): boolean =>
    new RegExp(`\\b(function\\*?|class|const) ${owner}\\b`).test(all) &&
    (member === undefined || new RegExp(`\\b${member}(<[^>]*>)?\\(`).test(all));
  const FILES = ['config.json'];
  const names = named.filter((each) => !exists(each)).map(([, ...name]) => name.filter(Boolean).join('.'));
  expect(names.filter((name) => !FILES.includes(name))).toEqual([]);
});

test('folders are made in one place: a recursive mkdir never comes back from a file system that takes none', () => {
  const makers = sources
    .filter((file) => /\bmkdir(Sync)?\(/.test(readFileSync(file, 'utf8')))
    .map((file) => relative(ROOT, file));
  expect(makers.filter((file) => !file.startsWith('src/bench/'))).toEqual(['src/files/write.ts']);
});

/** Files that change the file system without the hook, and why nothing that is read later can be spoiled by that. */
const BESIDE_THE_HOOK: Readonly<Record<string, string>> = {
  'src/files/write.ts': 'makeFolderSync makes the folders of caches and builds',
  'src/files/owner-file.ts': 'signs of life',
  'src/files/owned-folder.ts': "the owner's file at the end of the process",
  'src/files/temporary-folder.ts': 'temporary',
  'src/files/run-logged.ts': 'the log of a compiler',
  'src/weights/read.ts': 'temporary',
  'src/bench/architecture-bench.ts': 'temporary',
  'src/bench/run.ts': 'temporary',
  'src/bench/worker.ts': 'temporary',
  'src/addon/addon-folder.ts': 'a cache that is made anew',
  'src/addon/place-addon.ts': 'built beside its place, tried and renamed',
  'src/install/build.ts': 'built again where it does not load',
  'src/install/install-libtorch.ts': 'unpacked again where it is not whole',
  'src/install/pip-wheel.ts': 'checked against its SHA-256 before it is used',
};

test('files are changed through one hook, where a test can make any change fail', () => {
  const found = sources
    .filter((file) => changesBesideTheHook(file).length > 0)
    .map((file) => relative(ROOT, file).replaceAll('\\', '/'));
  expect(found).toEqual(Object.keys(BESIDE_THE_HOOK).sort());
  expect(changesBesideTheHook(join(SRC, 'files/write.ts'))).toEqual(['mkdirSync']);
  expect(changesBesideTheHook(join(SRC, 'files/owner-file.ts'))).toEqual(['utimes']);
});

test('the addon is loaded by the model room and the doctor alone', () => {
  const importers = sources
    .filter((file) => /import[^;]*\bloadNative\b[^;]*from/.test(readFileSync(file, 'utf8')))
    .map((file) => relative(ROOT, file));
  expect(importers.filter((file) => !/^src\/(model|addon|install)\//.test(file))).toEqual([]);
});

test('the lower floor of the addon knows nothing of JavaScript', () => {
  const core = filesBelow(join(ROOT, 'native', 'core'), /\.(cc|h)$/);
  expect(core.length).toBeGreaterThan(10);
  expect(
    core.filter((file) => /napi|\.\.\//.test(readFileSync(file, 'utf8'))).map((file) => relative(ROOT, file)),
  ).toEqual([]);
});

test('napi.h is included in one place', () => {
  const includers = filesBelow(join(ROOT, 'native'), /\.(cc|h)$/).filter((file) =>
    /#include <napi\.h>/.test(readFileSync(file, 'utf8')),
  );
  expect(includers.map((file) => relative(ROOT, file))).toEqual(['native/napi_setup.h']);
});

test('no file is longer than 300 lines, none leaves work behind in a comment', () => {
  const all = [...sources, ...filesBelow(join(ROOT, 'native'), /\.(cc|h)$/)].map((file) => ({
    file: relative(ROOT, file),
    text: readFileSync(file, 'utf8'),
  }));
  expect(all.filter(({ text }) => text.split('\n').length > 301).map(({ file }) => file)).toEqual([]);
  expect(all.filter(({ text }) => /\b(TODO|FIXME|XXX)\b/.test(text)).map(({ file }) => file)).toEqual([]);
  // A .cc file is introduced by its header.
  const introduced = all.filter(({ file }) => !file.endsWith('.cc'));
  expect(introduced.filter(({ text }) => !/^(\/\*\*|\/\/|#!)/.test(text)).map(({ file }) => file)).toEqual([]);
});

/** What each room of native/core may include, beside itself. */
const MAY_INCLUDE: Readonly<Record<string, readonly string[]>> = {
  runtime: [],
  kernels: ['runtime'],
  input: ['runtime'],
  nn: ['runtime', 'kernels'],
  training: ['runtime', 'kernels', 'input', 'nn'],
};

const includesOf = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/^#include "core\/([^"]+)"/gm)].map(([, target]) => target!);

test('no include of native/core points upward, and every permission is used', () => {
  const core = join(ROOT, 'native/core');
  const used = new Set<string>();
  const wrong: string[] = [];
  for (const file of filesBelow(core, /\.(cc|h)$/)) {
    const room = relative(core, file).split('/')[0]!;
    for (const target of includesOf(file)) {
      const other = target.split('/')[0]!;
      if (other === room) continue;
      used.add(`${room} -> ${other}`);
      if (!MAY_INCLUDE[room]?.includes(other)) wrong.push(`${relative(ROOT, file)} includes ${target}`);
    }
  }
  expect(wrong).toEqual([]);
  const allowed = Object.entries(MAY_INCLUDE).flatMap(([room, others]) => others.map((other) => `${room} -> ${other}`));
  expect(allowed.filter((each) => !used.has(each))).toEqual([]);
});

test('no header of native includes itself by way of others', () => {
  const edges = headerEdges(ROOT);
  expect(edges.length).toBeGreaterThan(20);
  expect(named(circles(edges))).toEqual([]);
});

test('a circle is seen', () => {
  const edges = ['a b', 'b c', 'c a', 'c d'].map((pair) => ({ from: pair[0]!, to: pair[2]! }));
  expect(circles(edges)).toEqual([['a', 'b', 'c']]);
});
