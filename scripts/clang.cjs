/**
 * Compiles and links the addon with clang, warnings as errors, into build/clang; it is not installed. Does nothing
 * where there is no clang++. `npm run build` uses the system's own compiler, mostly gcc.
 */
const { spawnSync } = require('node:child_process');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const objects = path.join(root, 'build', 'clang');

function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

if (spawnSync('clang++', ['--version'], { stdio: 'ignore' }).status !== 0)
  console.log('no clang++ here: nothing is checked');
else {
  const { findLibTorch } = require('../dist/addon/libtorch.js');
  const { root: libtorch, include, lib } = findLibTorch();
  const settings = [
    '-DCMAKE_CXX_COMPILER=clang++',
    '-DCOVIDCT_WERROR=ON',
    `-DCOVIDCT_LIBTORCH=${libtorch}`,
    `-DCOVIDCT_LIBTORCH_INCLUDE=${include.join(';')}`,
    `-DCOVIDCT_LIBTORCH_LIB=${lib}`,
  ];
  const isBuilt =
    run('cmake', ['-S', '.', '-B', objects, ...settings]) && run('cmake', ['--build', objects, '--parallel', '2']);
  process.exitCode = isBuilt ? 0 : 1;
}
