/** Tells one process from every other, on this machine and elsewhere, and whether it still runs. */
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

/** What names a process; a number alone comes back after a restart, in every container and on every machine. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** Of the machine since it was started; null where the system does not say. */
  readonly bootId: string | null;
  /** Within which `pid` counts, as `pid:[4026531836]`; null as before. */
  readonly pidNamespace: string | null;
  /** When it began, in ticks since the machine did; null as before. */
  readonly processStart: string | null;
}

/** `unknown`: of a process that cannot be looked at from here. */
export type ProcessState = 'alive' | 'dead' | 'unknown';

/** State and start from the text of `/proc/<pid>/stat`. The name, in parentheses, may hold anything, also those. */
export function parseStat(text: string): { state: string; start: string } | null {
  const [state, ...more] = text
    .slice(text.lastIndexOf(')') + 1)
    .trim()
    .split(/\s+/);
  const start = more[18]; // the 22nd field of the whole, and the state is the third
  return state === undefined || start === undefined || !text.includes(')') ? null : { state, start };
}

async function statOf(pid: number): Promise<ReturnType<typeof parseStat>> {
  return await readFile(`/proc/${pid}/stat`, 'utf8').then(parseStat, () => null);
}

/** Returns what names the process that runs this, whichever of its threads asks. */
export async function thisProcess(): Promise<ProcessIdentity> {
  const { pid } = process;
  const word = (text: Promise<string>): Promise<string | null> =>
    text.then((read) => read.trim() || null).catch(() => null);
  const [bootId, pidNamespace, self, stat] = await Promise.all([
    word(readFile('/proc/sys/kernel/random/boot_id', 'utf8')),
    word(readlink('/proc/self/ns/pid')),
    word(readlink('/proc/self')),
    statOf(pid),
  ]);
  const host = hostname();
  // A /proc of another namespace than ours shows other processes under our numbers.
  if (bootId === null || pidNamespace === null || self !== String(pid) || stat === null)
    return { pid, host, bootId: null, pidNamespace: null, processStart: null };
  return { pid, host, bootId, pidNamespace, processStart: stat.start };
}

/** Whether a process of that number runs here, whoever's it is. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'; // one that may not be signaled is there
  }
}

/** Whether the numbers of processes mean the same there and here. */
function isVisible(other: ProcessIdentity, here: ProcessIdentity): boolean {
  if (here.bootId !== null) return here.bootId === other.bootId && here.pidNamespace === other.pidNamespace;
  // Where containers exist, the name of the host says nothing about the namespace.
  return process.platform !== 'linux' && other.bootId === null && other.host === here.host;
}

/** Looks at a process by its name. One that is stopped, or whose event loop is blocked, is alive. */
export async function stateOfProcess(other: ProcessIdentity): Promise<ProcessState> {
  const here = await thisProcess();
  if (!isVisible(other, here)) return 'unknown';
  const stat = here.bootId === null ? null : await statOf(other.pid);
  if (stat === null || other.processStart === null) return exists(other.pid) ? 'alive' : 'dead';
  // A zombie has ended; only its parent has not asked how.
  return stat.start === other.processStart && !/^[ZXx]$/.test(stat.state) ? 'alive' : 'dead';
}
