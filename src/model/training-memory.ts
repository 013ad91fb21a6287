/** Memory of a training on the CPU, from measurements. */
import { MEASURED_MEMORY } from './training-memory-table';

const [SMALL, LARGE] = [1, 8];
const SIDE = 224;

/**
 * About how many bytes a process takes that trains, decoded images apart: what grows with the images of a batch grows
 * with their number and area.
 *
 * @param sizes.batchSize images in one forward and backward pass
 * @param sizes.imageSize side of the square the network sees, in pixels
 * @returns null for an architecture that was not measured
 */
export function trainingMemory(
  architecture: string,
  sizes: { readonly batchSize: number; readonly imageSize: number },
): number | null {
  const row = Object.hasOwn(MEASURED_MEMORY, architecture) ? MEASURED_MEMORY[architecture] : undefined;
  if (row === undefined) return null;
  const [small, large] = row;
  const perImage = (large - small) / (LARGE - SMALL);
  return (small + perImage * (sizes.batchSize * (sizes.imageSize / SIDE) ** 2 - SMALL)) * 2 ** 20;
}
