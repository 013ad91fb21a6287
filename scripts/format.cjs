/**
 * Formats the tree: prettier for TypeScript, JavaScript and JSON, clang-format for C++.
 *   node scripts/format.cjs            writes
 *   node scripts/format.cjs --check    names the files that are not formatted and the lines that are too long
 *
 * The check exits with 1 where it finds any. clang-format breaks neither strings nor all comments, so the columns of
 * C++, CMake and Python are counted here; those of TypeScript and JavaScript are ESLint's (max-len).
 */
const { spawnSync } = require('node:child_process');
const { readFileSync, readdirSync } = require('node:fs');
const path = require('node:path');
const { clangFormatPath } = require('clang-format-node');

const root = path.resolve(__dirname, '..');
const MAX_COLUMNS = 120;

/** The files below `folder` whose names match, as paths from the root. */
function filesIn(folder, ending) {
  return readdirSync(path.join(root, folder), { recursive: true })
    .filter((name) => ending.test(name))
    .map((name) => path.join(folder, name))
    .sort();
}

function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

/** Prints the lines that are too long; a line that is one URL, which cannot be broken, may be. */
function checkColumns(files) {
  const tooLong = files.flatMap((file) =>
    readFileSync(path.join(root, file), 'utf8')
      .split('\n')
      .map((line, at) => ({ line, at: `${file}:${at + 1}` }))
      .filter(({ line }) => line.length > MAX_COLUMNS && !/^\W*https?:\S+\W*$/.test(line))
      .map(({ line, at }) => `${at}: ${line.length} columns`),
  );
  for (const each of tooLong) console.error(each);
  return tooLong.length === 0;
}

const checks = process.argv.includes('--check');
const cpp = [...filesIn('native', /\.(cc|h)$/), ...filesIn('test', /\.(cc|h)$/)];
const prettier = require.resolve('prettier/bin/prettier.cjs');
const results = [
  run(process.execPath, [prettier, ...(checks ? ['--check'] : ['--write', '--list-different']), '.']),
  run(clangFormatPath, [...(checks ? ['--dry-run', '-Werror'] : ['-i']), ...cpp]),
  checkColumns([...cpp, 'CMakeLists.txt', ...filesIn('scripts', /\.py$/), ...filesIn('test', /\.py$/)]),
];
process.exitCode = results.every(Boolean) ? 0 : 1;
