/**
 * Builds what is out of date: TypeScript to dist/, its ESM entry, and the addon.
 *   node scripts/build.cjs            everything
 *   node scripts/build.cjs --ts       TypeScript and the ESM entry
 *   node scripts/build.cjs --native   the addon
 *   --force: the addon from nothing; --verbose: show the compiler's output; --jobs=N: compilers at once (default 2)
 * In a checkout, LibTorch is fetched into the per-user cache where none is found. Objects stay in build/ for the next
 * time, the finished addon goes into the cache.
 */
const { buildTypeScript, writeEsmEntries, compileNativeRoom, noteSources } = require('./typescript.cjs');
const { setUp } = require('./set-up.cjs');

function jobsOf(flags) {
  const given = [...flags].find((flag) => flag.startsWith('--jobs='));
  return given === undefined ? undefined : Math.max(1, Number.parseInt(given.slice('--jobs='.length), 10) || 1);
}

async function main() {
  const flags = new Set(process.argv.slice(2));
  const wantsAll = !flags.has('--ts') && !flags.has('--native');
  if (wantsAll || flags.has('--ts')) {
    buildTypeScript();
    writeEsmEntries();
  } else {
    compileNativeRoom();
  }
  if (wantsAll || flags.has('--native'))
    await setUp({ force: flags.has('--force'), verbose: flags.has('--verbose'), jobs: jobsOf(flags) });
  else noteSources();
}

main().catch((error) => {
  console.error(error.code === undefined ? error : `${error.code}: ${error.message}`);
  process.exitCode = 1;
});
