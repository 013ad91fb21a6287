/** Removes what the build made: dist/ and build/. The LibTorch in the per-user cache stays. */
const { rmSync } = require('node:fs');
const path = require('node:path');

for (const name of ['dist', 'build', 'coverage']) rmSync(path.resolve(__dirname, '..', name), { recursive: true, force: true });
