/** Looks at the folder of a new run before any work goes into it. */
import { readdir } from 'node:fs/promises';
import { CovidCtError } from '../errors';
import { fileError } from '../files/write';
import { RunFolder } from '../index';

/**
 * Refuses a run folder that the training would refuse, before data are unpacked and a model is made.
 *
 * @throws CovidCtError ERR_RUN_FOLDER when something else lies there, or an earlier run that is not to be replaced
 */
export async function assertRunFolderFree(out: string, overwrite: boolean): Promise<void> {
  const entries = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw fileError('look into it', out, error);
  });
  if (entries.every((name) => name === 'tensorboard')) return;
  const isRun = await RunFolder.open(out).then(
    () => true,
    () => false,
  );
  if (!isRun)
    throw new CovidCtError(
      'ERR_RUN_FOLDER',
      `${out}: expected an empty or new folder for the run; it holds ${entries.slice(0, 3).join(', ')} and is not a run; give another --out`,
    );
  if (!overwrite)
    throw new CovidCtError(
      'ERR_RUN_FOLDER',
      `${out}: there is a run in this folder already; give another --out, or --overwrite to replace it`,
    );
}
