/** The versions that made a model; they stand in its card and in reports. */
import { imageLibraryVersions } from '../data/images/decode';
import { loadNative } from '../addon/load';
import { packageVersion } from '../addon/package-root';

/** Versions of this package, Node, LibTorch and the image libraries. Needs the addon. */
export function libraryVersions(): Readonly<Record<string, string>> {
  const { libtorchVersion, cpuCapability } = loadNative().info();
  return {
    'covidct-torch': packageVersion(),
    node: process.versions.node,
    libtorch: libtorchVersion,
    cpuCapability,
    ...imageLibraryVersions(),
  };
}
