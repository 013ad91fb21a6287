/**
 * The package's entries as package.json lists them, and the public names of each as the compiler sees them in dist/.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

export const ROOT = resolve(__dirname, '../..');

const { exports: exported } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  exports: Record<string, string | { readonly require: { readonly types: string } }>;
};

/** Every entry's import path with its declarations, `covidct-torch` first. */
export const ENTRIES: readonly { readonly name: string; readonly file: string }[] = Object.entries(exported).flatMap(
  ([path, target]) =>
    typeof target === 'string' ? [] : [{ name: join('covidct-torch', path), file: join(ROOT, target.require.types) }],
);

/** An exported name, and the symbol it stands for wherever that is declared. */
export interface PublicName {
  readonly entry: string;
  readonly name: string;
  readonly symbol: ts.Symbol;
  readonly isValue: boolean;
}

/** What a program that imports the package by its names is compiled with. */
export const COMPILER_OPTIONS: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  types: ['node'],
  typeRoots: [join(ROOT, 'node_modules/@types')],
  paths: Object.fromEntries(ENTRIES.map(({ name, file }) => [name, [file]])),
};

/** The symbol that an alias stands for, or the symbol itself. */
export function resolved(symbol: ts.Symbol | undefined, checker: ts.TypeChecker): ts.Symbol | undefined {
  return symbol !== undefined && (symbol.flags & ts.SymbolFlags.Alias) !== 0
    ? checker.getAliasedSymbol(symbol)
    : symbol;
}

/** Whether a name is exported by `export type`, which leaves a class without its value. */
function isTypeOnly(alias: ts.Symbol): boolean {
  return (alias.declarations ?? []).some((each) => ts.isExportSpecifier(each) && each.parent.parent.isTypeOnly);
}

/** Every public name of every entry. */
export function publicNames(): { readonly checker: ts.TypeChecker; readonly names: readonly PublicName[] } {
  const program = ts.createProgram(
    ENTRIES.map(({ file }) => file),
    COMPILER_OPTIONS,
  );
  const checker = program.getTypeChecker();
  const names = ENTRIES.flatMap(({ name: entry, file }) =>
    checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)!)!).map((each) => {
      const symbol = resolved(each, checker)!;
      return {
        entry,
        name: each.name,
        symbol,
        isValue: !isTypeOnly(each) && (symbol.flags & ts.SymbolFlags.Value) !== 0,
      };
    }),
  );
  return { checker, names };
}
