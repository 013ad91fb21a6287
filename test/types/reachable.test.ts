/** Whoever calls a public function can name the types of what it takes and gives: each is exported. */
import { resolve } from 'node:path';
import ts from 'typescript';

const ENTRY = resolve(__dirname, '../../dist/index.d.ts');

/** Types that public ones are made of and that stay inside, each with its reason. */
const INSIDE: Readonly<Record<string, string>> = {
  Size: 'a number or a pair of them',
  Text: 'what the constructors of errors take; the library alone makes them',
  SideOrPair: 'a number or a pair of them',
  PreResize: 'of PixelStore, for the loader of batches alone',
  SizeCheck: 'of PixelStore, for the loader of batches alone',
};

/** The addon's own surface, which `Network` and `Diagnosis` show. */
const OF_THE_ADDON = /^Native[A-Z]/;

function isHidden(node: ts.Node): boolean {
  const { modifiers, name } = node as ts.Node & { modifiers?: readonly ts.ModifierLike[]; name?: ts.Node };
  return (
    name?.kind === ts.SyntaxKind.PrivateIdentifier ||
    (modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword) ?? false)
  );
}

/** The library's own types that a node names. */
function namedBy(node: ts.Node, checker: ts.TypeChecker, found: Set<ts.Symbol>): Set<ts.Symbol> {
  if (isHidden(node)) return found;
  if (ts.isTypeReferenceNode(node) || ts.isExpressionWithTypeArguments(node)) {
    const symbol = resolved(
      checker.getSymbolAtLocation(ts.isTypeReferenceNode(node) ? node.typeName : node.expression),
      checker,
    );
    const isOwn =
      symbol?.declarations?.some((each) => each.getSourceFile().fileName.startsWith(resolve(ENTRY, '..'))) ?? false;
    if (symbol !== undefined && isOwn && (symbol.flags & ts.SymbolFlags.TypeParameter) === 0) found.add(symbol);
  }
  ts.forEachChild(node, (child) => void namedBy(child, checker, found));
  return found;
}

function resolved(symbol: ts.Symbol | undefined, checker: ts.TypeChecker): ts.Symbol | undefined {
  return symbol !== undefined && (symbol.flags & ts.SymbolFlags.Alias) !== 0
    ? checker.getAliasedSymbol(symbol)
    : symbol;
}

test('every type that a public type or function names is exported', () => {
  const program = ts.createProgram([ENTRY], {
    strict: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
  });
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(ENTRY)!)!;
  const exported = new Set(checker.getExportsOfModule(module).map((each) => resolved(each, checker)!));
  expect(exported.size).toBeGreaterThan(150);
  const missing = [...exported].flatMap((each) =>
    (each.declarations ?? []).flatMap((declaration) =>
      [...namedBy(declaration, checker, new Set())].flatMap((named) =>
        exported.has(named) || named.name in INSIDE || OF_THE_ADDON.test(named.name)
          ? []
          : [`${named.name}, of ${each.name}`],
      ),
    ),
  );
  expect([...new Set(missing)].sort()).toEqual([]);
});
