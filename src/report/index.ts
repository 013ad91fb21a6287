/**
 * The entry `covidct-torch/report`: pictures of runs, evaluations and explanations, and the HTML report of a run
 * folder.
 *
 * @packageDocumentation
 */

export { sampleMontage } from '../data/montage';
export { selectOutcomes } from '../train/outcomes';
export { accuracyCurve, confusionMatrixChart, lossCurve, misclassifiedHistogram, rocChart } from './charts';
export { drawExplanation } from './grad-cam';
export { renderReport } from './html';
export { encodeImage, montage, svgToPng, textIsDrawn } from './overlay';
export { writePictures } from './pictures';
export { addEvaluation, addTraining, writeReport } from './run-report';
export type { MontageOptions } from '../data/montage';
export type { Outcome, OutcomeGroup } from '../train/outcomes';
export type { Chart } from './charts';
export type { GradCamMontagesOptions } from './grad-cam';
export type { CaptionedMontageOptions, EvaluationPictures, GradCamSelection, HeatOptions } from './options';
export type { Tile } from './overlay';
export type { Picture } from './pictures';
export type { AddEvaluationOptions, AddTrainingOptions } from './run-report';
export type { GradCamGroup, GradCamKind, ReportData, ReportMontage, ReportSplit } from './types';
