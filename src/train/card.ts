/** Fills in the card that is stored beside a training's weights. */
import type { Transform } from '../data/types';
import type { ModelCard, Network } from '../model/types';
import { versions } from './versions';

/** What the card must say of every model that comes out of here. */
export const INTENDED_USE = 'Research and education only. Not a medical device: not for diagnosis, triage or any decision about a patient.';

/** The card of weights that a training has just written. */
export function cardOf(about: {
  readonly network: Pick<Network, 'architecture' | 'classes'>;
  readonly transform: Transform;
  readonly threshold: number;
  /** Path of the weight file, relative to the card. */
  readonly weights: string;
  readonly origin: string;
}): ModelCard {
  return {
    format: 'covidct-torch/model',
    formatVersion: 1,
    architecture: about.network.architecture,
    classes: [...about.network.classes],
    transform: about.transform,
    threshold: about.threshold,
    weights: about.weights,
    origin: about.origin,
    versions: versions(),
    created: new Date().toISOString(),
    intendedUse: INTENDED_USE,
  };
}
