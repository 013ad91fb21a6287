/**
 * Which file imports which: the files of src/, its rooms, and the headers of native/. Used by the architecture test and
 * by `npm run house`.
 */
const { readdirSync, readFileSync } = require('node:fs');
const path = require('node:path');
const ts = require('typescript');

/**
 * The files below `folder` whose names match, as sorted absolute paths.
 *
 * @param {string} folder
 * @param {RegExp} ending
 * @returns {string[]}
 */
function filesBelow(folder, ending) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => path.join(folder, name))
    .sort();
}

/** Are only types taken from this import or export? They are gone at run time. */
function isTypeOnly(statement) {
  if (ts.isExportDeclaration(statement)) return statement.isTypeOnly;
  const clause = statement.importClause;
  if (clause === undefined) return false;
  if (clause.isTypeOnly) return true;
  const { name, namedBindings } = clause;
  return (
    name === undefined &&
    namedBindings !== undefined &&
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.length > 0 &&
    namedBindings.elements.every((element) => element.isTypeOnly)
  );
}

/**
 * Imports and re-exports of a TypeScript file, with `import()` and `require()`, the target as written.
 *
 * @param {string} file
 * @returns {{ target: string, typeOnly: boolean }[]}
 */
function importsOf(file) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, false);
  const found = [];
  const visit = (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier)
      found.push({ target: node.moduleSpecifier.text, typeOnly: isTypeOnly(node) });
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      found.push({ target: node.argument.literal.text, typeOnly: true });
    else if (ts.isCallExpression(node) && node.arguments.length > 0 && ts.isStringLiteral(node.arguments[0])) {
      const callee = node.expression;
      if (callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require'))
        found.push({ target: node.arguments[0].text, typeOnly: false });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** The room of a file: the first folder below src/, or the file's own name where it lies directly in src/. */
function roomOf(src, file) {
  return path.relative(src, file).replace(/\.ts$/, '').split(path.sep)[0];
}

/**
 * Every import of one file of src/ by another.
 *
 * @param {string} root
 * @returns {{ from: string, to: string, typeOnly: boolean }[]}
 */
function sourceEdges(root) {
  const src = path.join(root, 'src');
  const files = filesBelow(src, /\.ts$/);
  const known = new Set(files);
  return files.flatMap((from) =>
    importsOf(from)
      .filter(({ target }) => target.startsWith('.'))
      .map(({ target, typeOnly }) => ({ from, to: `${path.resolve(path.dirname(from), target)}.ts`, typeOnly }))
      .filter(({ to }) => known.has(to)),
  );
}

/** The same between rooms: `{ from, to, typeOnly, files }`, one for each pair of rooms. */
function roomEdges(root) {
  const src = path.join(root, 'src');
  const pairs = new Map();
  for (const { from, to, typeOnly } of sourceEdges(root)) {
    const [a, b] = [roomOf(src, from), roomOf(src, to)];
    if (a === b) continue;
    const pair = pairs.get(`${a} ${b}`) ?? { from: a, to: b, typeOnly: true, files: [] };
    pair.typeOnly &&= typeOnly;
    pair.files.push(path.relative(root, from));
    pairs.set(`${a} ${b}`, pair);
  }
  return [...pairs.values()];
}

/**
 * Every `#include "..."` of one header of native/ by another.
 *
 * @param {string} root
 * @returns {{ from: string, to: string }[]}
 */
function headerEdges(root) {
  const native = path.join(root, 'native');
  const headers = filesBelow(native, /\.h$/);
  const known = new Set(headers);
  return headers.flatMap((from) =>
    [...readFileSync(from, 'utf8').matchAll(/^#include "([^"]+)"/gm)]
      .flatMap(([, name]) => [path.resolve(path.dirname(from), name), path.join(native, name)])
      .filter((to) => known.has(to))
      .map((to) => ({ from, to })),
  );
}

/**
 * Sets of nodes that reach each other (strongly connected components of more than one node), each sorted.
 *
 * @param {readonly { from: string, to: string }[]} edges
 * @returns {string[][]}
 */
function circles(edges) {
  const next = new Map();
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to]);
  const order = new Map();
  const low = new Map();
  const stack = [];
  const found = [];
  const visit = (node) => {
    order.set(node, order.size);
    low.set(node, order.get(node));
    stack.push(node);
    for (const other of next.get(node) ?? []) {
      if (!order.has(other)) visit(other);
      if (stack.includes(other)) low.set(node, Math.min(low.get(node), low.get(other)));
    }
    if (low.get(node) !== order.get(node)) return;
    const members = stack.splice(stack.indexOf(node));
    if (members.length > 1) found.push(members.sort());
  };
  for (const node of next.keys()) if (!order.has(node)) visit(node);
  return found;
}

module.exports = { circles, filesBelow, headerEdges, importsOf, roomEdges, roomOf, sourceEdges };
