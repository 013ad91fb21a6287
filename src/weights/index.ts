/**
 * The entry `covidct-torch/weights`: reads and converts weight files of this library and of PyTorch without LibTorch,
 * and downloads torchvision's checkpoints by name.
 *
 * @packageDocumentation
 */

export { convertWeights } from './convert';
export { detectArchitecture } from './detect-architecture';
export { fetchWeights, locateWeights } from './fetch';
export { openWeightFile } from './open';
export { pretrainedWeights } from './pretrained';
export type { ConvertWeightsOptions } from './convert';
export type { FetchWeightsOptions } from './fetch';
export type { OpenWeightFileOptions } from './open';
export type { PretrainedWeights, Pretraining } from './pretrained';
export type { WeightFile, WeightSource } from './types';
