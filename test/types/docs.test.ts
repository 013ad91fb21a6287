/** The programs in the README and the guide compile, strictly, against the built types. */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { COMPILER_OPTIONS, ROOT } from './entries';

/** What a block may take for granted, unless it declares it itself. */
const GIVEN: Readonly<Record<string, string>> = {
  covid: `import('covidct-torch').CovidCtDataset`,
  model: `import('covidct-torch').Classifier`,
  buffer: 'Buffer',
  uploadedBuffer: 'Buffer',
  request: '{ signal: AbortSignal }',
};

function blocksOf(file: string): string[] {
  return [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => match[1]!);
}

function asModule(block: string): string {
  const given = Object.entries(GIVEN).filter(([name]) => !new RegExp(`\\b(const|using) ${name}\\b`).test(block));
  return [...given.map(([name, type]) => `declare const ${name}: ${type};`), block, 'export {};'].join('\n');
}

function complaints(dir: string, files: string[]): string[] {
  const program = ts.createProgram(files, { ...COMPILER_OPTIONS, baseUrl: dir });
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ file, messageText }) =>
        `${file?.fileName.slice(dir.length + 1)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    );
}

test.each(['README.md', 'docs/guide.md'])('%s', (document) => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'covidct-docs-')));
  try {
    const blocks = blocksOf(document);
    expect(blocks.length).toBeGreaterThan(0);
    const files = blocks.map((block, i) => {
      const file = join(dir, `block${i + 1}.mts`);
      writeFileSync(file, asModule(block));
      return file;
    });
    expect(complaints(dir, files)).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
