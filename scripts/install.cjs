/**
 * npm's install script. As a dependency it does nothing: nothing is downloaded that was not asked for. In a checkout it
 * sets everything up. It never fails: what went wrong is printed, and the next `npm run build` says it again.
 */
const { existsSync } = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');

async function main() {
  // npm prepares a dependency that comes from git in a full clone: that is no checkout of anybody's.
  const forGit = process.env._PACOTE_NO_PREPARE_ !== undefined;
  if (!existsSync(path.join(root, 'src')) || process.env.COVIDCT_SKIP_SETUP || forGit) return;
  const { buildTypeScript, writeEsmEntry } = require('./typescript.cjs');
  const { setUp } = require('./set-up.cjs');
  buildTypeScript();
  writeEsmEntry();
  await setUp();
}

main().catch((error) => {
  console.error(`covidct-torch is installed, but the native part could not be set up.\n${error.message}\nWhen that is put right, run: npm run build`);
});
