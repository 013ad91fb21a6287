/**
 * Counts what says how a checkout is built: the boundary, what an editor shows, long lines, imports, entries, sizes.
 *   node scripts/house.cjs [checkout]      default: this one
 * An import points upward when it names a room that comes later in the table of the checkout's
 * test/architecture.test.ts.
 */
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');
const ts = require('typescript');
const { circles, filesBelow, headerEdges, roomEdges, sourceEdges } = require('./import-graph.cjs');

const root = path.resolve(process.argv[2] ?? path.join(__dirname, '..'));
const src = path.join(root, 'src');
const inRoot = (...parts) => path.join(root, ...parts);
const textOf = (file) => readFileSync(file, 'utf8');
const sources = filesBelow(src, /\.ts$/);
const native = filesBelow(inRoot('native'), /\.(cc|h)$/);
const tests = filesBelow(inRoot('test'), /\.(ts|cjs|cc|h)$/);

function show(title, ...lines) {
  console.log([title, ...lines.map((line) => `    ${line}`)].join('\n'));
}

// ---- Native methods -------------------------------------------------------------------------------------------------
function showNativeMethods() {
  for (const file of native) {
    const classes = textOf(file).split(/DefineClass\(\s*env,\s*/);
    for (const each of classes.slice(1)) {
      const name = /^"(\w+)"/.exec(each)?.[1];
      const methods = [...each.split('});')[0].matchAll(/Instance(?:Method|Accessor)<[^>]*>\("(\w+)"/g)].map(
        (m) => m[1],
      );
      show(`native methods of ${name}: ${methods.length}`, methods.join(' '));
    }
  }
}

// ---- Types ----------------------------------------------------------------------------------------------------------
const config = ts.parseJsonConfigFileContent(
  ts.readConfigFile(inRoot('tsconfig.json'), ts.sys.readFile).config,
  ts.sys,
  root,
);
const program = ts.createProgram(sources, {
  ...config.options,
  noEmit: true,
  incremental: false,
  tsBuildInfoFile: undefined,
});
const checker = program.getTypeChecker();

/** The declaration of that name and kind anywhere in src/. */
function declarationOf(name, isKind) {
  for (const file of program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(src)))
    for (const statement of file.statements) if (isKind(statement) && statement.name?.text === name) return statement;
  return undefined;
}

function isHidden(symbol) {
  const declaration = symbol.valueDeclaration ?? symbol.declarations?.[0];
  if (declaration === undefined || /^(__)?#/.test(symbol.name)) return true;
  const flags = ts.getCombinedModifierFlags(declaration);
  const isInternal = ts.getJSDocTags(declaration).some(({ tagName }) => tagName.text === 'internal');
  return isInternal || (flags & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) !== 0;
}

function showMembers() {
  const classifier = declarationOf('Classifier', ts.isClassDeclaration);
  const members = checker
    .getTypeAtLocation(classifier)
    .getProperties()
    .filter((each) => !isHidden(each));
  const statics = checker.getTypeOfSymbol(classifier.symbol ?? checker.getSymbolAtLocation(classifier.name));
  const own = statics.getProperties().filter((each) => !isHidden(each) && each.name !== 'prototype');
  const names = members.map(({ name }) => name.replace(/^__@(\w+)@.*/, '[Symbol.$1]'));
  show(
    `members of a Classifier that an editor shows: ${names.length}, and ${own.length} static`,
    names.sort().join(' '),
  );
  const network = declarationOf('Network', ts.isInterfaceDeclaration);
  if (network === undefined) return show('interface Network: none');
  const properties = checker.getTypeAtLocation(network).getProperties();
  const optional = properties.filter(({ flags }) => (flags & ts.SymbolFlags.Optional) !== 0).map(({ name }) => name);
  return show(
    `members of Network: ${properties.length - optional.length} required, ${optional.length} optional`,
    ...(optional.length > 0 ? [`optional: ${optional.sort().join(' ')}`] : []),
  );
}

// ---- Entries --------------------------------------------------------------------------------------------------------
function showEntries() {
  const { exports: entries } = JSON.parse(textOf(inRoot('package.json')));
  const seen = new Map();
  for (const [entry, target] of Object.entries(entries)) {
    const file = /dist\/[\w/-]+\.m?js/.exec(JSON.stringify(target))?.[0];
    const source = program.getSourceFile(inRoot(`${(file ?? '').replace(/^dist/, 'src').replace(/\.m?js$/, '')}.ts`));
    if (source === undefined) continue;
    const names = checker.getExportsOfModule(checker.getSymbolAtLocation(source));
    const isValue = (each) =>
      ((each.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(each) : each).flags & ts.SymbolFlags.Value) !== 0;
    const values = names.filter(isValue);
    show(`names in the entry ${entry}: ${values.length} values, ${names.length - values.length} types`);
    for (const { name } of names) seen.set(name, [...(seen.get(name) ?? []), entry]);
  }
  const twice = [...seen].filter(([, where]) => where.length > 1);
  show(`names in more than one entry: ${twice.length}`, ...twice.map(([name, where]) => `${name}: ${where.join(' ')}`));
}

// ---- Lines, files and functions -------------------------------------------------------------------------------------
function showLongLines() {
  for (const [name, files] of Object.entries({ src: sources, native, test: tests })) {
    const lines = files.flatMap((file) => textOf(file).split('\n'));
    const tooLong = lines.filter((line) => line.length > 120).length;
    const longest = Math.max(...lines.map((line) => line.length));
    show(`lines over 120 columns in ${name}: ${tooLong} of ${lines.length}; the longest has ${longest}`);
  }
}

function showFilesPerRoom() {
  for (const [name, files] of Object.entries({ src: sources, native })) {
    const rooms = new Map();
    for (const file of files) {
      const room = path.dirname(path.relative(root, file));
      rooms.set(room, (rooms.get(room) ?? 0) + 1);
    }
    const list = [...rooms].sort((a, b) => b[1] - a[1]).map(([room, count]) => `${room} ${count}`);
    show(`files in ${name}: ${files.length}; per room:`, list.join(', '));
  }
}

/** Every function of src/ with its number of lines, the longest first. */
function functionsBySize() {
  const found = [];
  for (const file of sources) {
    const source = program.getSourceFile(file);
    const lineOf = (at) => source.getLineAndCharacterOfPosition(at).line;
    const visit = (node) => {
      if (ts.isFunctionLike(node) && node.body !== undefined) {
        const lines = lineOf(node.end) - lineOf(node.getStart(source)) + 1;
        found.push({ lines, at: `${path.relative(root, file)}:${lineOf(node.getStart(source)) + 1}` });
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return found.sort((a, b) => b.lines - a.lines);
}

function showBiggest() {
  for (const [name, files] of Object.entries({ src: sources, native, test: tests })) {
    const sizes = files.map((file) => [textOf(file).split('\n').length - 1, path.relative(root, file)]);
    const [lines, file] = sizes.sort((a, b) => b[0] - a[0])[0];
    show(`biggest file in ${name}: ${file}, ${lines} lines`);
  }
  const [function_] = functionsBySize();
  show(`biggest function in src: ${function_.at}, ${function_.lines} lines`);
}

// ---- Imports --------------------------------------------------------------------------------------------------------
/** Rooms from below to above, as the architecture test lists them. */
function roomsInOrder() {
  const file = inRoot('test/architecture.test.ts');
  const table = existsSync(file) ? /MAY_IMPORT[^{]*\{([\s\S]*?)\n\};/.exec(textOf(file))?.[1] : undefined;
  return [...(table ?? '').matchAll(/^ {2}'?([\w-]+)'?:/gm)].map(([, room]) => room);
}

function showImports() {
  const order = roomsInOrder();
  const rooms = roomEdges(root);
  const upward = rooms.filter(({ from, to }) => order.indexOf(to) > order.indexOf(from));
  const lines = upward.map(
    ({ from, to, typeOnly, files }) => `${from} -> ${to}${typeOnly ? ' (types)' : ''}: ${files.join(' ')}`,
  );
  show(`pairs of rooms with an import that points upward: ${upward.length}`, ...lines);
  const edges = sourceEdges(root);
  const relative = (circle) => circle.map((each) => path.relative(root, each)).join(' ');
  const found = {
    'files of src': circles(edges).map(relative),
    'files of src, types left out': circles(edges.filter(({ typeOnly }) => !typeOnly)).map(relative),
    rooms: circles(rooms).map((each) => each.join(' ')),
    'headers of native': circles(headerEdges(root)).map(relative),
  };
  for (const [what, list] of Object.entries(found)) show(`circles among ${what}: ${list.length}`, ...list);
}

console.log(`${root}\n`);
showNativeMethods();
showMembers();
showEntries();
showLongLines();
showFilesPerRoom();
showBiggest();
showImports();
