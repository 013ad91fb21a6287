/**
 * npm's `prepublishOnly`: the repository itself is not what is
 * published, and its package.json names no platform package.
 */
console.error('publish build/release/covidct-torch instead: docs/releasing.md says how it is made');
process.exitCode = 1;
