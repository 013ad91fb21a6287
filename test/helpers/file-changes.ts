/** Finds where a source file changes the file system without the hook of src/files/operations.ts. */
import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** Functions of node:fs and node:fs/promises that leave something on the disk. */
const WRITERS = new Set(
  [
    ...['appendFile', 'chmod', 'chown', 'copyFile', 'cp', 'createWriteStream', 'fsync', 'ftruncate', 'link', 'mkdir'],
    ...['mkdtemp', 'rename', 'rm', 'rmdir', 'symlink', 'truncate', 'unlink', 'utimes', 'write', 'writeFile', 'writev'],
  ].flatMap((name) => [name, `${name}Sync`]),
);
/** Methods of a FileHandle that do. A stream has `write` too, but does not take a position. */
const OF_HANDLES = new Set(['appendFile', 'createWriteStream', 'datasync', 'sync', 'truncate', 'writeFile', 'writev']);

function importedFromFs(source: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement)) continue;
    if (!/^node:fs(\/promises)?$/.test((statement.moduleSpecifier as ts.StringLiteral).text)) continue;
    const bindings = statement.importClause?.namedBindings;
    if (bindings !== undefined && ts.isNamedImports(bindings))
      for (const { name, propertyName } of bindings.elements) {
        if (propertyName !== undefined) throw new Error(`${source.fileName}: ${name.text} hides what it is`);
        names.add(name.text);
      }
    else if (statement.importClause?.isTypeOnly !== true)
      throw new Error(`${source.fileName}: expected named imports of node:fs`);
  }
  return names;
}

/** Name of what a call changes files with; null where it does not. */
function writerOf({ expression, arguments: args }: ts.CallExpression, imported: ReadonlySet<string>): string | null {
  if (ts.isIdentifier(expression)) {
    const { text } = expression;
    if (!imported.has(text)) return null;
    if (WRITERS.has(text)) return text;
    const flags = args[1];
    const isOld = flags !== undefined && ts.isStringLiteral(flags) && /^r\+?$/.test(flags.text);
    return /^open(Sync)?$/.test(text) && !isOld ? text : null;
  }
  if (!ts.isPropertyAccessExpression(expression)) return null;
  const { text } = expression.name;
  return OF_HANDLES.has(text) || (text === 'write' && args.length === 4) ? text : null;
}

function passesHook(node: ts.Node): boolean {
  for (let each = node.parent; !ts.isSourceFile(each); each = each.parent)
    if (ts.isCallExpression(each) && ts.isIdentifier(each.expression) && each.expression.text === 'change') return true;
  return false;
}

/** Names of the functions by which a source file changes the file system without the hook. */
export function changesBesideTheHook(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const imported = importedFromFs(source);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const writer = writerOf(node, imported);
      if (writer !== null && !passesHook(node)) found.push(writer);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
