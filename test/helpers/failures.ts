/**
 * Tries every fault of a disk at every change that something makes, and looks whether the old or the new state is there
 * afterward, whether the error is typed, and whether trying again ends as if nothing had failed.
 */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CovidCtError, messageOf } from '../../src/errors';
import type { ErrorCode } from '../../src/errors';
import { contentOf } from '../../src/files/content';
import { OWNER_TIMES } from '../../src/files/owner-times';
import { finishedName } from '../../src/files/write';
import { FailingDisk, FAULTS } from './failing-disk';
import type { Fault } from './failing-disk';

/** What is tried. Everything it writes lies below the folder that it is given. */
export interface Scenario {
  readonly name: string;
  /** What a failure may say. */
  readonly codes: readonly ErrorCode[];
  /** Makes the old state, once. */
  readonly prepare?: (dir: string) => Promise<unknown>;
  readonly act: (dir: string) => Promise<unknown>;
  /**
   * Throws unless the old state is there or the new one, or something between from which {@link retry} gets to it.
   *
   * @param isCut whether what was not flushed is lost
   */
  readonly look: (dir: string, isCut: boolean) => Promise<void>;
  /** Whether a success may leave something that the next one removes. */
  readonly cleansNextTime?: boolean;
  /** Does it again, on a healthy disk. */
  readonly retry: (dir: string) => Promise<unknown>;
  /** Everything that must be equal in the end, as plain data. */
  readonly summary: (dir: string) => Promise<unknown>;
}

/** Tries what `choose` takes. Returns how many faults there were, and what the library did not hold. */
export async function tryAll(
  scenario: Scenario,
  choose: (failures: Failures) => readonly Try[],
): Promise<{ summary: string; findings: string[] }> {
  const failures = await Failures.of(scenario);
  const tries = choose(failures);
  const findings: string[] = [];
  let hit = 0;
  try {
    for (const each of tries)
      await failures.try(each).then(
        (isHit) => (hit += isHit ? 1 : 0),
        (error: unknown) => findings.push(`${each.fault} at ${each.at}: ${messageOf(error)}`),
      );
  } finally {
    await failures.close();
  }
  const counts = [`${failures.count} changes`, `${tries.length} tries`, `${hit} faults`, `${findings.length} findings`];
  const summary = `${scenario.name}: ${counts.join(', ')}`;
  return { summary, findings };
}

/** One try. */
export interface Try {
  readonly fault: Fault;
  /** Number of the change, from 0. */
  readonly at: number;
}

/** Relative paths of all files below a folder, hashes and processes in their names replaced. */
export async function filesIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .map((path) => path.replace(/-[0-9a-f]{16}\./, '-#.').replace(/tfevents\.\d+\..*\.\d+\.\d+/, 'tfevents.#'))
    .sort();
}

/** Whether every file that tells its content by its name has it. */
export async function assertNamesAreTrue(dir: string): Promise<void> {
  for (const name of await readdir(dir, { recursive: true })) {
    const digits =
      finishedName(name.split('/').at(-1)!) === null ? /-([0-9a-f]{16})\.safetensors$/.exec(name)?.[1] : undefined;
    if (digits === undefined) continue;
    const { sha256 } = await contentOf(join(dir, name));
    if (!sha256.startsWith(digits)) throw new Error(`${name} has bytes of ${sha256}`);
  }
}

/** As if the process that stopped here were gone, for more than an hour. */
async function bury(dir: string, isStopped: boolean): Promise<void> {
  const longAgo = new Date(Date.now() - 7_200_000);
  for (const name of await readdir(dir, { recursive: true })) {
    const path = join(dir, name);
    if (finishedName(name.split('/').at(-1)!) !== null) await utimes(path, longAgo, longAgo);
    if (!isStopped || !name.endsWith('owner.lock') || name.endsWith('.owner.lock')) continue;
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace(/"processStart": "\d+"/, '"processStart": "1"'));
  }
}

/** A scenario with its old state and its end, made on a healthy disk. */
export class Failures {
  readonly #scenario: Scenario;
  readonly #dir: string;
  /** Of {@link Scenario.summary} after an act that did not fail. */
  readonly #expected: unknown;
  /** Changes of an act that does not fail. */
  readonly count: number;

  private constructor(scenario: Scenario, dir: string, expected: unknown, count: number) {
    this.#scenario = scenario;
    this.#dir = dir;
    this.#expected = expected;
    this.count = count;
  }

  static async of(scenario: Scenario): Promise<Failures> {
    Object.assign(OWNER_TIMES, { watch: 60, look: 10 });
    const dir = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'covidct-failing-'));
    for (const name of ['old', 'copies', 'whole']) await mkdir(join(dir, name));
    const quick = new FailingDisk(null, 0, join(dir, 'copies'));
    const counter = new FailingDisk(null, 0, join(dir, 'copies'));
    const old = join(dir, 'old');
    const whole = join(dir, 'whole');
    const failed =
      (await quick.run(async () => await scenario.prepare?.(old))) ??
      (await cp(old, whole, { recursive: true, preserveTimestamps: true }),
      await counter.run(() => scenario.act(whole)));
    if (failed !== null) throw failed as Error;
    return new Failures(scenario, dir, await scenario.summary(whole), counter.count);
  }

  /** Throws where the library does not hold what it says. Returns whether the fault could hit anything. */
  async try({ fault, at }: Try): Promise<boolean> {
    const { codes, act, look, retry, summary, cleansNextTime = false } = this.#scenario;
    const dir = join(this.#dir, 'tried');
    await rm(dir, { recursive: true, force: true });
    await cp(join(this.#dir, 'old'), dir, { recursive: true, preserveTimestamps: true });
    const copies = join(this.#dir, 'copies');
    const disk = new FailingDisk(fault, at, copies);
    const error = await disk.run(() => act(dir));
    const isStopped = /^(stop|cut)/.test(fault) && disk.isReached;
    await rm(copies, { recursive: true, force: true });
    await mkdir(copies);
    if (error !== null && !(error instanceof CovidCtError && codes.includes(error.code)))
      throw new Error(`the error is not typed: ${messageOf(error)}`, { cause: error });
    if (error !== null && !/E(IO|MFILE|NOSPC|ROFS)\b/.test(messageOf(error)))
      throw new Error(`the error hides its cause: ${messageOf(error)}`, { cause: error });
    await bury(dir, isStopped);
    await look(dir, fault.startsWith('cut') && disk.isReached);
    if (error === null && !isStopped && !cleansNextTime) expect(await summary(dir)).toEqual(this.#expected);
    if (!disk.isReached) return false;
    const failed = await new FailingDisk(null, 0, copies).run(() => retry(dir));
    if (failed !== null) throw new Error(`trying again fails: ${messageOf(failed)}`, { cause: failed });
    expect(await summary(dir)).toEqual(this.#expected);
    return true;
  }

  /** Every fault at every change. */
  all(): Try[] {
    return Array.from({ length: this.count }, (_, at) => FAULTS.map((fault) => ({ fault, at }))).flat();
  }

  /** As many of them, of all kinds and from everywhere. */
  some(count: number): Try[] {
    const all = this.all();
    const stride = Math.max(1, Math.ceil(all.length / count));
    // Without a factor in common with the number of faults, or some would never come.
    const step = [0, 1, 2, 3, 4, 5].map((more) => stride + more).find((each) => each % 2 !== 0 && each % 5 !== 0)!;
    return all.filter((_, index) => index % step === 0);
  }

  async close(): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }
}
