/**
 * npm's `prepare` script, which npm runs in a checkout and before packing one, never in a project that depends on the
 * package. After `npm install` in a checkout it sets everything up; where npm packs a folder or a dependency that comes
 * from git, it compiles TypeScript alone. Set-up never fails: what went wrong is printed, and the next `npm run build`
 * says it again. Types that are wrong fail a packing.
 */
const { buildTypeScript, writeEsmEntries, noteSources } = require('./typescript.cjs');

async function main() {
  // npm installs a git dependency's own dependencies in a clone first; it runs this again there to pack it.
  if (process.env._PACOTE_NO_PREPARE_ !== undefined || process.env.COVIDCT_SKIP_SETUP) return;
  const packs = process.env.npm_package_resolved !== undefined;
  buildTypeScript();
  writeEsmEntries();
  if (packs) return noteSources();
  const { setUp } = require('./set-up.cjs');
  await setUp();
}

main().catch((error) => {
  console.error(
    'the native part of covidct-torch could not be set ' +
      `up.\n${error.message}\nWhen that is put right, run: npm run build`,
  );
  if (process.env.npm_package_resolved !== undefined) process.exitCode = 1;
});
