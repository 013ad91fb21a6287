/** How a Trainer refuses one of its options. */
import { InvalidOptionError } from '../errors';

/** @param path the option's, e.g. `freeze.unfreeze[0].epoch` */
export function refused(path: string, message: string): InvalidOptionError {
  return new InvalidOptionError(`Trainer: ${path}: ${message}`, [{ path, message }]);
}
