/** Loads the trained model that a command works with. */
import { Classifier } from '../index';
import { deviceFlags } from './flags';
import type { DeviceFlags } from './flags';
import { during } from './io';
import type { Io, OutputFlags } from './io';

/** Flags of a command that opens images with a trained model. */
export interface ModelFlags extends OutputFlags, DeviceFlags {
  /** Run folder or model folder. */
  readonly model: string;
  readonly which?: 'best' | 'last';
  readonly allowNonFinite?: boolean;
  readonly onBadFile?: 'error' | 'skip';
}

/** Loads the model and shows meanwhile that it does. The caller disposes of it. */
export async function loadModel(flags: ModelFlags, io: Io): Promise<Classifier> {
  const { model, which, allowNonFinite } = flags;
  return await during(io, flags, `loading ${model}`, () =>
    Classifier.load(model, { ...deviceFlags(flags), allowNonFinite, which }),
  );
}
