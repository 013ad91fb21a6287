/**
 * The entry `covidct-torch/setup`: what `covidct doctor` and `covidct install-libtorch` do, for programs.
 *
 * @packageDocumentation
 */

export { packageVersion } from '../addon/package-root';
export { diagnose } from './doctor';
export { installLibTorch } from './install-libtorch';
export { setUpNative } from './set-up';
export type { BuildStamp } from '../addon/addon-folder';
export type { LibTorch } from '../addon/libtorch-folder';
export type { Diagnosis, Problem } from './doctor';
export type { InstallOptions, InstallProgress, InstallResult, LibTorchArchive } from './install-libtorch';
export type { SetUpOptions, SetUpProgress, SetUpResult } from './set-up';
export type { Tool } from './tools';
