/** One training owns a folder, whoever asks and however the one before it ended. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { AbortedError, RunBusyError } from '../../../src/errors';
import { ownerOf, ownFolder } from '../../../src/files/owner';
import { withLock } from '../../../src/files/lock';
import type { Owner } from '../../../src/files/owner';
import type { Claim } from '../../../src/files/owner-file';
import { OWNER_TIMES } from '../../../src/files/owner-times';
import { parseStat, thisProcess } from '../../../src/files/process-identity';
import { temporaryFolder } from '../install/fake-libtorch';

const DIST = resolve(__dirname, '../../../dist/files');
const hasProc = existsSync('/proc/self/ns/pid');
const onLinux = hasProc ? test : test.skip;
const onUnix = process.platform === 'win32' ? test.skip : test;
const usual = { ...OWNER_TIMES };

let folder: string;
let file: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder, 'owner.lock');
  Object.assign(OWNER_TIMES, { beat: 50, watch: 600, look: 50 });
});
afterEach(() => {
  Object.assign(OWNER_TIMES, usual);
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const claimNow = (): Claim => JSON.parse(readFileSync(file, 'utf8')) as Claim;

/** Writes an owner's file as another process would have. */
async function forge(changes: Partial<Claim>): Promise<Owner> {
  const other = { pid: 1234, host: 'elsewhere', since: '2024-01-02T03:04:05.678Z', what: 'Trainer.fit' };
  const claim = { ...(await thisProcess()), ...other, token: 'forged', ...changes };
  writeFileSync(file, JSON.stringify(claim));
  return { pid: claim.pid, host: claim.host, since: claim.since, what: claim.what };
}

const elsewhere = { bootId: '00000000-0000-0000-0000-000000000000', pidNamespace: 'pid:[1]', processStart: '1' };

/** A process that runs `program`, in which `own()` takes the folder with short times. */
function start(program: string, shell?: string): { child: ChildProcess; said: (word: string) => Promise<string> } {
  const text = `
    const { ownFolder } = require(${JSON.stringify(join(DIST, 'owner.js'))});
    const { OWNER_TIMES } = require(${JSON.stringify(join(DIST, 'owner-times.js'))});
    Object.assign(OWNER_TIMES, { beat: 50, watch: 600, look: 50 });
    const own = () => ownFolder(${JSON.stringify(folder)}, 'a child');
    ${program}`;
  const options = { stdio: ['ignore', 'pipe', 'ignore'] as ['ignore', 'pipe', 'ignore'] };
  const child =
    shell === undefined
      ? spawn(process.execPath, ['-e', text], options)
      : spawn('sh', ['-c', shell, 'sh', process.execPath, text], options);
  children.push(child);
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  const said = async (word: string): Promise<string> => {
    while (!output.includes(word)) {
      if (child.stdout.readableEnded) throw new Error(`it ended without saying '${word}': ${output}`);
      await sleep(10);
    }
    return output;
  };
  return { child, said };
}

const HOLD = `own().then((held) => { console.log('held'); setTimeout(() => {}, 60_000);
  held.signal.addEventListener('abort', () => console.log('lost', held.signal.reason.code)); });`;

const busyWith = (owner: Partial<Owner>) =>
  expect.objectContaining({
    code: 'ERR_BUSY',
    owner: expect.objectContaining(owner) as Owner,
    message: expect.stringContaining(`process ${owner.pid} on `) as string,
  }) as unknown;

test('held, it is told who holds it; within this process too there is no second one; released, it is free', async () => {
  expect(await ownerOf(folder)).toBeNull();
  const held = await ownFolder(join(folder, '.'), 'Trainer.fit');
  expect(held.takenOverFrom).toBeNull();
  const { owner, state, beat } = (await ownerOf(folder))!;
  expect(owner).toMatchObject({ pid: process.pid, what: 'Trainer.fit' });
  expect([state, Math.abs(Date.now() - beat.getTime()) < 5_000]).toEqual(['alive', true]);
  await expect(ownFolder(folder, 'Trainer.fit')).rejects.toEqual(busyWith(owner));
  await expect(ownFolder(folder, 'Trainer.fit')).rejects.toBeInstanceOf(RunBusyError);
  await expect(ownFolder(folder, 'Trainer.fit')).rejects.toThrow(/wait until .*or choose another folder/);
  await held.assertHeld();
  await held.release();
  await held.release();
  expect([await ownerOf(folder), readdirSync(folder), held.signal.aborted]).toEqual([null, [], false]);
  await expect(held.assertHeld()).rejects.toMatchObject({ code: 'ERR_LOCK' });
  const next = await ownFolder(join(folder, 'made/below'), 'another');
  expect(existsSync(join(folder, 'made/below/owner.lock'))).toBe(true);
  await next.release();
});

test('a worker thread has a memory of its own and is refused all the same', async () => {
  const held = await ownFolder(folder, 'Trainer.fit');
  const worker = new Worker(
    `require(${JSON.stringify(join(DIST, 'owner.js'))}).ownFolder(${JSON.stringify(folder)}, 'a worker')
      .then(() => 'taken', (error) => error.code)
      .then((said) => require('node:worker_threads').parentPort.postMessage(said));`,
    { eval: true },
  );
  expect(await once(worker, 'message')).toEqual(['ERR_BUSY']);
  await worker.terminate();
  await held.release();
});

test('another process is refused with the number of the one that holds it, and so are we', async () => {
  const held = await ownFolder(folder, 'Trainer.fit');
  const refused = start(`own().catch((error) => console.log(error.name, error.owner.pid, 'end'));`);
  expect(await refused.said('end')).toBe(`RunBusyError ${process.pid} end\n`);
  await held.release();
  const { child, said } = start(HOLD);
  await said('held');
  await expect(ownFolder(folder, 'Trainer.fit')).rejects.toEqual(busyWith({ pid: child.pid!, what: 'a child' }));
  expect((await ownerOf(folder))?.state).toBe('alive');
});

test('of twenty that want it at once, one gets it', async () => {
  const at = Date.now() + 3_000;
  const program = `setTimeout(() => own().then(() => 'held', (error) => error.code).then((said) => {
    console.log(said); setTimeout(() => {}, 60_000); }), ${at} - Date.now());`;
  const all = Array.from({ length: 20 }, () => start(program));
  const said = await Promise.all(all.map((each) => each.said('\n')));
  expect(said.sort()).toEqual([...Array.from({ length: 19 }, () => 'ERR_BUSY\n'), 'held\n']);
}, 60_000);

test('of many that want it from a dead one, one gets it', async () => {
  const dead = spawn(process.execPath, ['-e', '']);
  await once(dead, 'close');
  await forge({ pid: dead.pid!, host: (await thisProcess()).host });
  const all = await Promise.allSettled(Array.from({ length: 8 }, () => ownFolder(folder, 'Trainer.fit')));
  const held = all.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  expect(held.map(({ takenOverFrom }) => takenOverFrom?.pid)).toEqual([dead.pid]);
  await held[0]!.release();
}, 30_000);

onUnix('killed, it is followed at once', async () => {
  const { child, said } = start(HOLD);
  await said('held');
  child.kill('SIGKILL');
  await once(child, 'close');
  expect((await ownerOf(folder))?.state).toBe('dead');
  Object.assign(OWNER_TIMES, usual);
  const warnings: string[] = [];
  const before = performance.now();
  const held = await ownFolder(folder, 'Trainer.fit', { onWarning: (message) => warnings.push(message) });
  expect(performance.now() - before).toBeLessThan(5_000);
  expect([held.takenOverFrom, warnings]).toEqual([expect.objectContaining({ pid: child.pid, what: 'a child' }), []]);
  await held.release();
});

onLinux('in a worker that was ended, it is followed at once, and not before', async () => {
  const text = `
    const { parentPort, workerData } = require('node:worker_threads');
    require(workerData.owner).ownFolder(workerData.folder, 'a worker').then(() => parentPort.postMessage('held'));
    setInterval(() => undefined, 1000);`;
  const worker = new Worker(text, { eval: true, workerData: { owner: join(DIST, 'owner.js'), folder } });
  await once(worker, 'message');
  await expect(ownFolder(folder, 'Trainer.fit')).rejects.toEqual(busyWith({ pid: process.pid, what: 'a worker' }));
  await worker.terminate();
  expect(existsSync(file)).toBe(true);
  expect((await ownerOf(folder))?.state).toBe('dead');
  const held = await ownFolder(folder, 'Trainer.fit');
  expect(held.takenOverFrom?.what).toBe('a worker');
  await held.release();
});

onLinux('killed, it is followed also while its parent has not asked how it ended', async () => {
  const { said } = start(HOLD, '"$1" -e "$2" & exec sleep 60');
  await said('held');
  const { pid } = claimNow();
  process.kill(pid, 'SIGKILL');
  for (let state = ''; state !== 'Z'; await sleep(10))
    state = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))!.state;
  const held = await ownFolder(folder, 'Trainer.fit');
  expect(held.takenOverFrom?.pid).toBe(pid);
  await held.release();
});

onUnix('stopped for longer than anybody is watched, it is not followed', async () => {
  const { child, said } = start(HOLD);
  await said('held');
  child.kill('SIGSTOP');
  await sleep(OWNER_TIMES.watch * 2);
  await expect(ownFolder(folder, 'Trainer.fit')).rejects.toEqual(busyWith({ pid: child.pid! }));
  await forge(elsewhere); // what somebody on another machine would do
  child.kill('SIGCONT');
  expect(await said('lost')).toBe('held\nlost ERR_LOCK\n');
});

onLinux('a number that came back is another process', async () => {
  const { processStart, host } = await thisProcess();
  await forge({ pid: process.pid, host, processStart: String(Number(processStart) - 1) });
  expect((await ownerOf(folder))?.state).toBe('dead');
  const held = await ownFolder(folder, 'Trainer.fit');
  expect(held.takenOverFrom?.pid).toBe(process.pid);
  await held.release();
  await forge({ pid: process.pid, host, processStart });
  await expect(ownFolder(folder, 'Trainer.fit')).rejects.toEqual(busyWith({ pid: process.pid }));
});

test.each([
  ['on another machine', elsewhere],
  ['in another container', { pidNamespace: 'pid:[1]' }],
])('an owner %s who shows signs of life keeps it, whatever its clock says', async (_, place) => {
  const owner = await forge({ ...place, pid: process.pid });
  let beats = 0;
  const beat = setInterval(() => utimesSync(file, 0, (beats += 1)), 100);
  const waited: Owner[] = [];
  await expect(ownFolder(folder, 'Trainer.fit', { onWait: (each) => waited.push(each) })).rejects.toEqual(
    busyWith(owner),
  );
  clearInterval(beat);
  expect(waited).toEqual([owner]);
  expect((await ownerOf(folder))?.state).toBe('unknown');
});

test('one on another machine who shows none is followed with a warning, though its clock is ahead', async () => {
  const owner = await forge(elsewhere);
  utimesSync(file, new Date(), new Date(Date.now() + 86_400_000));
  const warnings: string[] = [];
  const before = performance.now();
  const held = await ownFolder(folder, 'Trainer.fit', { onWarning: (message) => warnings.push(message) });
  expect(performance.now() - before).toBeGreaterThan(OWNER_TIMES.watch);
  expect(held.takenOverFrom).toEqual(owner);
  expect(warnings).toEqual([expect.stringMatching(/process 1234 on elsewhere, since 2024-01-02T03:04:05.678Z/)]);
  await held.release();
});

test('nobody holds up the others while watching, and who was followed meanwhile is not followed twice', async () => {
  await forge(elsewhere);
  const all = Promise.allSettled([1, 2, 3].map(() => ownFolder(folder, 'Trainer.fit', { onWarning: () => undefined })));
  await sleep(OWNER_TIMES.watch / 2);
  expect(existsSync(join(folder, '.owner.lock'))).toBe(false);
  const results = await all;
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
  expect(results.filter((each) => each.status === 'rejected').map(({ reason }) => reason as unknown)).toEqual(
    [1, 2].map(() => busyWith({ pid: process.pid })),
  );
  for (const each of results) if (each.status === 'fulfilled') await each.value.release();
});

test('a sign of life between the watching and the taking is seen', async () => {
  await forge(elsewhere);
  const waited: Owner[] = [];
  let end = (): void => undefined;
  const theEnd = new Promise<void>((done) => (end = done));
  const taking = ownFolder(folder, 'Trainer.fit', {
    onWarning: () => undefined,
    onWait: (owner) => {
      waited.push(owner);
      if (waited.length === 1) void withLock(join(folder, '.owner'), () => theEnd);
    },
  });
  await sleep(OWNER_TIMES.watch * 2);
  utimesSync(file, 1, 1);
  end();
  const held = await taking;
  expect(waited).toHaveLength(2);
  await held.release();
});

test('released while it is watched, it is taken without a warning', async () => {
  await forge(elsewhere);
  const warnings: string[] = [];
  const onWait = () => rmSync(file);
  const held = await ownFolder(folder, 'Trainer.fit', { onWait, onWarning: (message) => warnings.push(message) });
  expect([held.takenOverFrom, warnings]).toEqual([null, []]);
  await held.release();
});

test('a signal ends the watching, and nothing is left behind', async () => {
  const owner = await forge(elsewhere);
  const controller = new AbortController();
  Object.assign(OWNER_TIMES, { watch: 60_000, look: 30_000 });
  const taking = ownFolder(folder, 'Trainer.fit', { signal: controller.signal, onWait: () => controller.abort() });
  await expect(taking).rejects.toBeInstanceOf(AbortedError);
  expect([(await ownerOf(folder))?.owner, readdirSync(folder)]).toEqual([owner, ['owner.lock']]);
  await expect(ownFolder(folder, 'Trainer.fit', { signal: controller.signal })).rejects.toBeInstanceOf(AbortedError);
});

test.each([
  ['empty', ''],
  ['cut off', '{"pid": 12'],
  ['not of an owner', '{"pid": -1, "host": "h", "since": "", "what": "", "token": "t"}'],
  ['too large', `{"pid": 1, "more": "${'x'.repeat(100_000)}"}`],
])('a file that is %s is watched as if its owner were elsewhere', async (_, text) => {
  writeFileSync(file, text);
  expect(await ownerOf(folder)).toMatchObject({ owner: { pid: 0 }, state: 'unknown' });
  const warnings: string[] = [];
  const held = await ownFolder(folder, 'Trainer.fit', { onWarning: (message) => warnings.push(message) });
  expect([held.takenOverFrom?.pid, warnings]).toEqual([0, [expect.stringMatching(/an unknown process/)]]);
  await held.release();
  writeFileSync(file, text);
  const beat = setInterval(() => utimesSync(file, new Date(), new Date()), 100);
  await expect(ownFolder(folder, 'Trainer.fit')).rejects.toMatchObject({ code: 'ERR_BUSY', owner: { pid: 0 } });
  clearInterval(beat);
});

test('something that is no file in its place, or a folder that cannot be made, is said', async () => {
  mkdirSync(file);
  await expect(ownFolder(folder, 'Trainer.fit')).rejects.toMatchObject({ code: 'ERR_LOCK' });
  await expect(ownerOf(folder)).rejects.toThrow(/owner\.lock: expected .*no file: remove it/);
  writeFileSync(join(folder, 'a file'), '');
  await expect(ownFolder(join(folder, 'a file/below'), 'Trainer.fit')).rejects.toMatchObject({
    code: 'ERR_RUN_FOLDER',
  });
});

test('it shows signs of life and notices its loss by itself', async () => {
  const held = await ownFolder(folder, 'Trainer.fit');
  utimesSync(file, 1, 1);
  while ((await ownerOf(folder))!.beat.getTime() < 10_000) await sleep(10);
  rmSync(file);
  await once(held.signal, 'abort');
  expect(held.signal.reason).toMatchObject({ code: 'ERR_LOCK', message: expect.stringMatching(/was removed/) });
  await expect(held.assertHeld()).rejects.toBe(held.signal.reason);
  await held.release();
  expect(readdirSync(folder)).toEqual([]);
});

test('asked, it notices a loss at once; what another one has written stays', async () => {
  Object.assign(OWNER_TIMES, { beat: 60_000 });
  const held = await ownFolder(folder, 'Trainer.fit');
  const owner = await forge(elsewhere);
  await expect(held.assertHeld()).rejects.toThrow(/process 1234 on elsewhere has taken it over/);
  expect(held.signal.aborted).toBe(true);
  await held.release();
  const other = await (rmSync(file), ownFolder(folder, 'Trainer.fit'));
  await forge(elsewhere);
  await other.release(); // without having been asked before
  expect((await ownerOf(folder))?.owner).toEqual(owner);
});

test('a folder that was removed is not made again by the release', async () => {
  const below = join(folder, 'run');
  const held = await ownFolder(below, 'Trainer.fit');
  rmSync(below, { recursive: true });
  await held.release();
  expect(existsSync(below)).toBe(false);
});

test.each([
  ['process.exit', `own().then(() => process.exit(3));`, 3, []],
  ['an error that nobody catches', `own().then(() => setTimeout(() => { throw new Error('meant'); }));`, 1, []],
  ['having nothing to do any more', `own();`, 0, []],
  [
    'process.exit after its loss',
    `own().then(() => { require('fs').writeFileSync('owner.lock', '{"token": "other"}'); process.exit(0); });`,
    0,
    ['owner.lock'],
  ],
])('a process that ends by %s leaves no file of its own', async (_, program, code, left) => {
  const { child } = start(`process.chdir(${JSON.stringify(folder)}); ${program}`);
  const before = performance.now();
  expect(await once(child, 'close')).toEqual([code, null]);
  expect(performance.now() - before).toBeLessThan(10_000);
  expect(readdirSync(folder)).toEqual(left);
});

test('listeners of the process go with the last folder', async () => {
  const before = process.listenerCount('exit');
  const all = await Promise.all(['a', 'b'].map((name) => ownFolder(join(folder, name), 'Trainer.fit')));
  expect(process.listenerCount('exit')).toBe(before + 1);
  for (const each of all) await each.release();
  expect(process.listenerCount('exit')).toBe(before);
});

test.each([
  ['123 (node) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20', { state: 'S', start: '4711' }],
  ['123 (a) b) (c\n) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20', { state: 'Z', start: '4711' }],
  ['123 (node) S 1 2', null],
  ['', null],
])('state and start of %j', (text, expected) => {
  expect(parseStat(text)).toEqual(expected);
});
