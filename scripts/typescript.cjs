/** Compiles src/ to dist/ and writes the ESM entries; does nothing in an installed package, which has no sources. */
const { spawnSync } = require('node:child_process');
const {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const hasSources = existsSync(path.join(root, 'src'));

/** Runs the type checker and compiler over src/; throws when it reports an error, having written what it could. */
function buildTypeScript() {
  if (!hasSources) return;
  const run = spawnSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', root], { stdio: 'inherit' });
  removeOrphans();
  widenOptionals();
  if (run.status !== 0) throw Object.assign(new Error('TypeScript reports the errors above'), { code: 'ERR_TYPES' });
}

/**
 * Writes `| undefined` after the type of every optional property of the declarations. To most projects that says
 * nothing new; one with `exactOptionalPropertyTypes` may then hand on an option that it was not given itself.
 */
function widenOptionals() {
  const typescript = require('typescript');
  const dist = path.join(root, 'dist');
  for (const name of readdirSync(dist, { recursive: true }).filter((each) => each.endsWith('.d.ts'))) {
    const file = path.join(dist, name);
    const text = readFileSync(file, 'utf8');
    const ends = [];
    const visit = (node) => {
      const isProperty = typescript.isPropertySignature(node) || typescript.isPropertyDeclaration(node);
      if (isProperty && node.questionToken && node.type && !saysUndefined(typescript, node.type)) {
        const open =
          typescript.isFunctionTypeNode(node.type) ||
          typescript.isConstructorTypeNode(node.type) ||
          typescript.isConditionalTypeNode(node.type);
        ends.push([node.type.end, `${open ? ')' : ''} | undefined`]);
        if (open) ends.push([node.type.getStart(), '(']);
      }
      typescript.forEachChild(node, visit);
    };
    visit(typescript.createSourceFile(name, text, typescript.ScriptTarget.ES2022, true));
    if (ends.length === 0) continue;
    let wider = text;
    for (const [at, what] of ends.sort((a, b) => b[0] - a[0])) wider = wider.slice(0, at) + what + wider.slice(at);
    put(file, wider);
  }
}

function saysUndefined(typescript, type) {
  return (typescript.isUnionTypeNode(type) ? type.types : [type]).some(
    ({ kind }) => kind === typescript.SyntaxKind.UndefinedKeyword,
  );
}

/**
 * Removes what was compiled from a source that has been renamed or
 * deleted since; tsc leaves it, and it would be published.
 */
function removeOrphans() {
  const dist = path.join(root, 'dist');
  for (const name of readdirSync(dist, { recursive: true })) {
    const stem = /^(.*?)(\.d\.ts|\.js|\.js\.map)$/.exec(name)?.[1];
    if (stem !== undefined && !existsSync(path.join(root, 'src', `${stem}.ts`))) rmSync(path.join(dist, name));
  }
}

/** Notes whose addon is to be loaded, in dist/addon/sources.json: what is published needs no hashing at run time. */
function noteSources() {
  if (hasSources) require(path.join(root, 'dist/addon/addon-folder.js')).rememberSources(root);
}

/** The files of src/ that one of them needs, itself included; types alone count too, which costs nothing. */
function neededBy(first) {
  const found = new Set([first]);
  for (const file of found) {
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/^(?:import|export)\s[^;'"]*?from\s+'(\.[^']*)'/gm)) {
      found.add(`${path.resolve(path.dirname(file), target)}.ts`);
    }
  }
  return [...found];
}

/** Compiles install/set-up.ts and what it needs, without a type check: all that fetching and building take. */
function compileNativeRoom() {
  if (!hasSources) return;
  const typescript = require('typescript');
  for (const source of neededBy(path.join(root, 'src/install/set-up.ts'))) {
    const target = path.join(root, 'dist', path.relative(path.join(root, 'src'), source).replace(/\.ts$/, '.js'));
    if (existsSync(target) && statSync(target).mtimeMs >= statSync(source).mtimeMs) continue;
    const { outputText } = typescript.transpileModule(readFileSync(source, 'utf8'), {
      compilerOptions: {
        module: typescript.ModuleKind.CommonJS,
        target: typescript.ScriptTarget.ES2022,
        esModuleInterop: true,
      },
    });
    put(target, outputText);
  }
}

function put(file, text) {
  mkdirSync(path.dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, file);
}

/** The compiled files of the package's entries, as package.json's `exports` lists them. */
function entryFiles() {
  const { exports: entries } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  return Object.values(entries).flatMap(({ require: target }) => (target ? [path.join(root, target.default)] : []));
}

/**
 * Writes an index.mjs beside the index.js of every entry, with each of its names spelled out, so that
 * `import { Trainer }` does not hang on Node's guess at what a CommonJS file exports.
 */
function writeEsmEntries() {
  if (!hasSources) return;
  for (const entry of entryFiles().filter(existsSync)) {
    const names = Object.keys(require(entry)).filter((name) => name !== 'default' && name !== '__esModule');
    const lines = names.sort().map((name) => `export const ${name} = api.${name};`);
    put(
      entry.replace(/\.js$/, '.mjs'),
      `// Made by scripts/typescript.cjs from index.js.\nimport api from './index.js';\n${lines.join('\n')}\n`,
    );
    put(entry.replace(/\.js$/, '.d.mts'), "// Made by scripts/typescript.cjs.\nexport * from './index.js';\n");
  }
}

module.exports = { buildTypeScript, compileNativeRoom, noteSources, writeEsmEntries };
