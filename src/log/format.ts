/** Formats each event as one short line for people. */
import type { EpochRecord, TrainEvent, TrainingNeeds } from './types';

/** Formats a number with the given decimals; null is a dash. */
export function figure(value: number | null, decimals: number): string {
  return value === null ? '–' : value.toFixed(decimals);
}

/** Formats a count with its noun: `1 epoch`, `3 epochs`. */
function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Formats seconds: 47 as `47s`, 754 as `12m34s`, 7384 as `2h03m`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.max(0, Math.round(seconds));
  const pad = (value: number): string => String(value).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${pad(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${pad(Math.floor((whole % 3600) / 60))}m`;
}

/** Formats bytes as `512 MiB` or `2.6 GiB`. */
function size(bytes: number): string {
  return bytes < 2 ** 30 ? `${Math.ceil(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

function needsText({ memoryBytes, freeMemoryBytes, diskBytes }: TrainingNeeds): string {
  const parts = [
    ...(memoryBytes === null ? [] : [`${size(memoryBytes)} of memory`]),
    ...(diskBytes === 0 ? [] : [`${size(diskBytes)} of disk`]),
  ];
  if (parts.length === 0) return '';
  const short =
    memoryBytes !== null && memoryBytes > freeMemoryBytes
      ? `; only ${size(freeMemoryBytes)} of memory is free: a smaller batchSize ` +
        '(with a larger accumulate), imageSize or architecture takes less'
      : '';
  return `; takes about ${parts.join(' and ')}${short}`;
}

function epochLine(record: EpochRecord, epochs: number): string {
  const validation =
    record.validationLoss === null && record.validationAccuracy === null
      ? ''
      : ` | validation loss ${figure(record.validationLoss, 4)}, ` +
        `accuracy ${figure(record.validationAccuracy, 3)}, AUC ${figure(record.validationAuc, 3)}`;
  const counter = `${String(record.epoch).padStart(String(epochs).length)}/${epochs}`;
  const train = `train loss ${figure(record.trainLoss, 4)}, accuracy ${figure(record.trainAccuracy, 3)}`;
  const best = record.best ? ' | best so far' : '';
  return `epoch ${counter} | ${train}${validation} | ${duration(record.seconds)}${best}`;
}

type EventOf<Type extends TrainEvent['type']> = Extract<TrainEvent, { type: Type }>;

function startLine(event: EventOf<'start'>): string {
  const images = `${event.trainSamples} training and ${event.validationSamples} validation images`;
  const steps = counted(event.stepsPerEpoch, 'micro-batch', 'micro-batches');
  const out = event.out === null ? '' : `, into ${event.out}`;
  const needs = event.needs === undefined ? '' : needsText(event.needs);
  return (
    `training ${event.architecture} on ${event.device}: ${images}, ` +
    `at most ${counted(event.epochs, 'epoch')} of ${steps}${out}${resumedText(event)}${needs}`
  );
}

function resumedText({ resumed }: EventOf<'start'>): string {
  if (resumed === undefined) return '';
  const { epoch, step } = resumed;
  const place = step === 0 ? `before epoch ${epoch}` : `at micro-batch ${step} of epoch ${epoch}`;
  return `, from the checkpoint ${place} on`;
}

function unfrozenLine({ epoch, parameters, tensors, frozenNorms }: EventOf<'unfrozen'>): string {
  const norms = frozenNorms === 0 ? '' : `; ${frozenNorms} batch norm layers keep their running statistics`;
  return `from epoch ${epoch} on ${parameters} parameters in ${tensors} tensors are trained${norms}`;
}

function featuresLine({ samples, width, bytes, augmentations, withoutAugmentation }: EventOf<'features'>): string {
  const size = `${width} numbers each, ${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const forms = withoutAugmentation
    ? 'without augmentation: evalTransform instead of trainTransform'
    : `${augmentations} fixed ${augmentations === 1 ? 'form' : 'augmentations'} of each training image`;
  return `the frozen backbone's features of ${samples} images are computed once and kept (${size}), ${forms}`;
}

/**
 * Formats an event as a line of text; null for events that are not shown.
 *
 * @param epochs maximum number of epochs of the run
 */
export function inWords(event: TrainEvent, epochs: number): string | null {
  switch (event.type) {
    case 'start':
      return startLine(event);
    case 'epoch':
      return epochLine(event, epochs);
    case 'learningRate':
      return `learning rate ${event.from} -> ${event.to}: ${event.reason}`;
    case 'unfrozen':
      return unfrozenLine(event);
    case 'features':
      return featuresLine(event);
    case 'skipped':
      return `left out (${event.split}): ${event.id}: ${event.reason}`;
    case 'stop': {
      const best = event.bestEpoch === null ? '' : ` Best: epoch ${event.bestEpoch} (${figure(event.bestValue, 4)}).`;
      return `stopped after ${event.epochs} epochs: ${event.message}${best}`;
    }
    case 'step':
    case 'checkpoint':
      return null;
  }
}
