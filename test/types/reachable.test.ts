/**
 * Whoever calls a public function can name the types of its arguments
 * and of its result: each is exported by some entry.
 */
import { join } from 'node:path';
import ts from 'typescript';
import { publicNames, resolved, ROOT } from './entries';

const DIST = join(ROOT, 'dist');

/** Types that public ones are made of and that stay inside, each with its reason. */
const INSIDE: Readonly<Record<string, string>> = {
  Size: 'a number or a pair of them',
  Text: 'what the constructors of errors take; the library alone makes them',
  SideOrPair: 'a number or a pair of them',
  OptimizerSettings: 'momentum, nesterov, betas, ...: the settings of the optimizers, by their names',
  Entry: 'one of METRICS',
  OptimizerSchema: 'the options of all optimizers, as zod has them',
  WithRate: 'those of METRICS that are proportions',
  WithInterval: 'those of METRICS with an interval of another kind',
  Optional: 'those of METRICS that version 0.1.0 did not have',
  Recorded: 'those of METRICS in the record of an epoch',
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
    const isOwn = symbol?.declarations?.some((each) => each.getSourceFile().fileName.startsWith(DIST)) ?? false;
    if (symbol !== undefined && isOwn && (symbol.flags & ts.SymbolFlags.TypeParameter) === 0) found.add(symbol);
  }
  ts.forEachChild(node, (child) => void namedBy(child, checker, found));
  return found;
}

test('every type that a public type or function names is exported', () => {
  const { checker, names } = publicNames();
  const exported = new Set(names.map(({ symbol }) => symbol));
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
