/** Run folders as a process leaves them that is killed just before it changes something on the disk. */
import { cpSync, existsSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { join, sep } from 'node:path';
import { interceptChanges } from '../../src/files/operations';
import type { FileChange } from '../../src/files/operations';

/** Another process that looks comes later: what is unfinished then is nobody's any more. */
function age(folder: string): void {
  const before = Date.now() / 1000 - 3600;
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    if (name.endsWith('.tmp')) utimesSync(join(folder, name), before, before);
}

/**
 * Does `work` and copies the run folder before each change in it, as if the process had been killed there.
 *
 * @param isKill which changes; all where left out
 * @returns the copies, without the lock of the process that lives on, and what was about to be changed
 */
export async function killedAtEach(
  out: string,
  copies: string,
  work: () => Promise<unknown>,
  isKill: (change: FileChange) => boolean = () => true,
): Promise<{ readonly copy: string; readonly what: string }[]> {
  const killed: { copy: string; what: string }[] = [];
  interceptChanges((change, run) => {
    if (change.path.startsWith(`${out}${sep}`) && existsSync(out) && isKill(change)) {
      const copy = join(copies, String(killed.length));
      cpSync(out, copy, { recursive: true });
      for (const lock of ['owner.lock', '.owner.lock', '.metrics.lock'])
        rmSync(join(copy, lock), { recursive: true, force: true });
      age(copy);
      killed.push({ copy, what: `${change.operation} ${change.path.slice(out.length)}` });
    }
    return run();
  });
  try {
    await work();
  } finally {
    interceptChanges(null);
  }
  return killed;
}
