/** The programs in the README, the guide and the doc comments compile, strictly, against the built types. */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { COMPILER_OPTIONS, publicNames, ROOT } from './entries';

/** What a block of a document may take for granted, unless it declares it itself. */
const GIVEN: Readonly<Record<string, string>> = {
  covid: `import('covidct-torch').CovidCtDataset`,
  model: `import('covidct-torch').Classifier`,
  buffer: 'Buffer',
  uploadedBuffer: 'Buffer',
  request: '{ signal: AbortSignal }',
};

function blocksOf(text: string): string[] {
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => match[1]!);
}

function asModule(block: string, isGiven: boolean): string {
  const given = Object.entries(GIVEN).filter(
    ([name]) => isGiven && !new RegExp(`\\b(const|using) ${name}\\b`).test(block),
  );
  return [...given.map(([name, type]) => `declare const ${name}: ${type};`), block, 'export {};'].join('\n');
}

/** What the compiler says of programs, each with its name in front. */
function complaints(programs: Readonly<Record<string, string>>): string[] {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'covidct-docs-')));
  try {
    for (const [name, text] of Object.entries(programs)) writeFileSync(join(dir, `${name}.mts`), text);
    const files = Object.keys(programs).map((name) => join(dir, `${name}.mts`));
    return ts
      .getPreEmitDiagnostics(ts.createProgram(files, { ...COMPILER_OPTIONS, baseUrl: dir }))
      .map(
        ({ file, messageText }) =>
          `${file?.fileName.slice(dir.length + 1)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
      );
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test.each(['README.md', 'docs/guide.md'])('%s', (document) => {
  const blocks = blocksOf(readFileSync(join(ROOT, document), 'utf8'));
  expect(blocks.length).toBeGreaterThan(0);
  expect(complaints(Object.fromEntries(blocks.map((block, i) => [`block${i + 1}`, asModule(block, true)])))).toEqual(
    [],
  );
});

/** The programs in the examples of a doc comment. An example without a fenced program is a fault of its own. */
function examplesOf(symbol: ts.Symbol, checker: ts.TypeChecker): string[] {
  const examples = symbol.getJsDocTags(checker).filter((tag) => tag.name === 'example');
  return examples.flatMap(({ text }) => {
    const blocks = blocksOf(`${ts.displayPartsToString(text)}\n`);
    return blocks.length > 0 ? blocks : [`unfenced example of ${symbol.name}`];
  });
}

test('every public name has an @example that compiles by itself', () => {
  const { checker, names } = publicNames();
  const programs: Record<string, string> = {};
  const missing: string[] = [];
  for (const { name, symbol } of names.filter(({ isValue }) => isValue)) {
    const own = examplesOf(symbol, checker);
    if (!own.some((block) => block.includes(name))) missing.push(name);
    const members = [...(symbol.members?.values() ?? []), ...(symbol.exports?.values() ?? [])];
    const blocks = [...own, ...members.flatMap((member) => examplesOf(member, checker))];
    // A member's example may take a model for granted. `confusionMatrix` and `ConfusionMatrix` are one file where names
    // ignore case.
    for (const [at, block] of blocks.entries())
      programs[`${Object.keys(programs).length}-${name}-${at}`] = asModule(block, at >= own.length);
  }
  expect(missing).toEqual([]);
  expect(Object.keys(programs).length).toBeGreaterThanOrEqual(90);
  expect(complaints(programs)).toEqual([]);
});
