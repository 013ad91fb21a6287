/** The world outside a run folder as it is: the clock, and who holds the folder. */
import { ownerOf, ownFolder } from '../files/owner';
import type { World } from './summary';

export const WORLD: World = {
  ownerOf,
  own: async (dir, signal) => await ownFolder(dir, 'pruneRuns', { signal }),
  now: Date.now,
};
