/** Removes what the build made: dist/ and build/. LibTorch and the addons in the per-user cache stay. */
const { rmSync } = require('node:fs');
const path = require('node:path');

for (const name of ['dist', 'build', 'coverage'])
  rmSync(path.resolve(__dirname, '..', name), { recursive: true, force: true });
