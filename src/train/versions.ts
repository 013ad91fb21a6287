/** Versions of what a run was made with. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Versions of this package, Node and the platform. */
export function versions(): Record<string, string> {
  // src/train and dist/train are both two folders below the package's own.
  const own = JSON.parse(readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8')) as { version: string };
  return { 'covidct-torch': own.version, node: process.versions.node, platform: `${process.platform}-${process.arch}` };
}
