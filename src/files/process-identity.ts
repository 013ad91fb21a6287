/** Tells one thread of a process from all others, on this machine and elsewhere, and whether it still runs. */
import { readlinkSync } from 'node:fs';
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
  /** When its thread began, in ticks since the machine did; null as before. */
  readonly processStart: string | null;
  /** Number of its thread: a worker may end long before its process does. Null as before, and then all of it counts. */
  readonly thread: number | null;
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

async function statOf(pid: number, thread: number | null): Promise<ReturnType<typeof parseStat>> {
  const path = thread === null ? `/proc/${pid}/stat` : `/proc/${pid}/task/${thread}/stat`;
  return await readFile(path, 'utf8').then(parseStat, () => null);
}

/** Number of the thread that calls this; null where the system does not say. */
function thisThread(): number | null {
  try {
    // Not the asynchronous function, which looks from a thread of the pool.
    return Number(/\/task\/(\d+)$/.exec(readlinkSync('/proc/thread-self'))?.[1] ?? NaN) || null;
  } catch {
    return null;
  }
}

/** Returns what names the thread that runs this, and its process. */
export async function thisProcess(): Promise<ProcessIdentity> {
  const { pid } = process;
  const thread = thisThread();
  const word = (text: Promise<string>): Promise<string | null> =>
    text.then((read) => read.trim() || null).catch(() => null);
  const [bootId, pidNamespace, self, stat] = await Promise.all([
    word(readFile('/proc/sys/kernel/random/boot_id', 'utf8')),
    word(readlink('/proc/self/ns/pid')),
    word(readlink('/proc/self')),
    statOf(pid, thread),
  ]);
  const host = hostname();
  // A /proc of another namespace than ours shows other processes under our numbers.
  if (bootId === null || pidNamespace === null || self !== String(pid) || stat === null)
    return { pid, host, bootId: null, pidNamespace: null, processStart: null, thread: null };
  return { pid, host, bootId, pidNamespace, processStart: stat.start, thread };
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

/**
 * Looks at a process, and at its thread where one is named. One that is stopped, or whose event loop is blocked, is
 * alive.
 */
export async function stateOfProcess(other: ProcessIdentity): Promise<ProcessState> {
  const here = await thisProcess();
  if (!isVisible(other, here)) return 'unknown';
  const stat = here.bootId === null ? null : await statOf(other.pid, other.thread);
  // The process can be looked at, and the thread is not among its own: a worker that was ended.
  if (stat === null && other.thread !== null && (await statOf(other.pid, null)) !== null) return 'dead';
  if (stat === null || other.processStart === null) return exists(other.pid) ? 'alive' : 'dead';
  // A zombie has ended; only its parent has not asked how.
  return stat.start === other.processStart && !/^[ZXx]$/.test(stat.state) ? 'alive' : 'dead';
}
