/** The versions that made a model; they stand in its card and in reports. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageLibraryVersions } from '../data/decode';
import { loadNative } from '../native/load';

/** This package's version. */
export function packageVersion(): string {
  // src/model and dist/model lie at the same depth.
  return (JSON.parse(readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8')) as { version: string }).version;
}

/** Versions of this package, Node, LibTorch and the image libraries. Needs the addon. */
export function libraryVersions(): Readonly<Record<string, string>> {
  const { libtorchVersion, cpuCapability } = loadNative().info();
  return { 'covidct-torch': packageVersion(), node: process.versions.node, libtorch: libtorchVersion, cpuCapability, ...imageLibraryVersions() };
}
