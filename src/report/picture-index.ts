/** What `pictures/pictures.json` tells of a run's pictures, so that the report can be written again without a model. */
import { readJsonIfThere } from '../files/json';
import type { RunFolder } from '../train/run-folder';
import { pictureFactsSchema } from './schema';
import type { PictureFacts } from './types';

const FILE = 'pictures/pictures.json';

/**
 * What an earlier training or evaluation left; null before the first.
 *
 * @throws CovidCtError ERR_RUN_FOLDER when the file cannot be read
 */
export async function readFacts(folder: RunFolder): Promise<PictureFacts | null> {
  return readJsonIfThere(folder.file(FILE), pictureFactsSchema, {
    code: 'ERR_RUN_FOLDER',
    what: 'the list of the pictures',
    advice: 'remove the file and evaluate again',
  });
}

/** Leaves the facts for later reports. Throws CovidCtError ERR_RUN_FOLDER. */
export async function writeFacts(folder: RunFolder, facts: PictureFacts): Promise<void> {
  await folder.write(FILE, `${JSON.stringify(facts, null, 2)}\n`);
}
