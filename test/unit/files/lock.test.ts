/** A lock that is lost is noticed: removed, taken over while its holder stood still; nothing is thrown in a timer. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AbortedError } from '../../../src/errors';
import { withLock } from '../../../src/files/lock';
import { makeTrustedFolder } from '../../../src/files/trusted-folder';
import { temporaryFolder } from '../install/fake-libtorch';

const STALE_MS = 2_000;
const DIST = resolve(__dirname, '../../../dist/files/lock.js');

let folder: string;
let path: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, 'thing');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const lost = (why: RegExp) =>
  expect.objectContaining({ code: 'ERR_LOCK', message: expect.stringMatching(why) }) as unknown;

test('held, it is one at a time, and gone afterward', async () => {
  const order: string[] = [];
  const work = (name: string) =>
    withLock(path, async () => {
      order.push(`${name} begins`);
      await sleep(50);
      order.push(`${name} ends`);
      return name;
    });
  expect(await Promise.all([work('a'), work('b')])).toEqual(['a', 'b']);
  expect(order.filter((each) => each.startsWith(order[0]?.[0]!))).toEqual(order.slice(0, 2));
  expect(existsSync(`${path}.lock`)).toBe(false);
});

test('removed meanwhile: the work is told within the time of a sign of life, and the whole fails', async () => {
  const seen: unknown[] = [];
  const whole = withLock(
    path,
    async ({ signal }) => {
      rmdirSync(`${path}.lock`);
      await sleep(10_000, undefined, { signal }).catch((error: unknown) => seen.push(error));
      return 'a result that must not be used';
    },
    { staleMs: STALE_MS },
  );
  await expect(whole).rejects.toEqual(lost(/lock was lost .*run again/));
  expect(seen).toHaveLength(1);
});

test('removed and taken by another: asked at once, it says so; the other one keeps its lock', async () => {
  const whole = withLock(path, (held) => {
    rmdirSync(`${path}.lock`);
    writeFileSync(join(folder, 'takes the inode that has become free'), '');
    mkdirSync(`${path}.lock`);
    held.assertHeld();
    return Promise.resolve();
  });
  await expect(whole).rejects.toEqual(lost(/another process holds it/));
  expect(existsSync(`${path}.lock`)).toBe(true);
});

test('what the work throws because of the loss does not hide the loss; what it throws otherwise stays', async () => {
  const whole = withLock(path, (held) => {
    rmdirSync(`${path}.lock`);
    expect(() => held.assertHeld()).toThrow('it was removed');
    expect(held.signal.aborted).toBe(true);
    throw new Error('broken off');
  });
  await expect(whole).rejects.toEqual(lost(/it was removed/));
  await expect(withLock(path, () => Promise.reject(new Error('its own')))).rejects.toThrow('its own');
});

test('stopped for so long that another took over, it fails with the typed error when it goes on', async () => {
  const program = `
    process.on('uncaughtException', (error) => { console.log('uncaught', error.code); process.exit(9); });
    const { withLock } = require(${JSON.stringify(DIST)});
    withLock(${JSON.stringify(path)}, async ({ signal }) => {
      console.log('held');
      await new Promise((done) => {
        const timer = setTimeout(done, 60_000);
        signal.addEventListener('abort', () => { clearTimeout(timer); done(); });
      });
    }, { staleMs: ${STALE_MS} }).then(() => console.log('done'), (error) => console.log(error.code, error.message));`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  const said = (word: string) =>
    new Promise<void>((done) => {
      const look = () => {
        if (output.includes(word)) {
          child.stdout.off('data', look);
          done();
        }
      };
      child.stdout.on('data', look);
    });
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  const ended = new Promise<number | null>((done) => {
    child.once('close', done);
  });
  await said('held');
  child.kill('SIGSTOP');
  const waited: string[] = [];
  const took = await withLock(
    path,
    async () => {
      child.kill('SIGCONT');
      await ended;
      return 'taken over';
    },
    { staleMs: STALE_MS, onWait: () => waited.push('waits') },
  );
  expect(took).toBe('taken over'); // the one that lost it has not let go of ours
  expect(waited).toEqual(['waits']);
  expect(output).toMatch(/^held\nERR_LOCK .*lost while it was needed/);
  expect(await ended).toBe(0);
}, 20_000);

test('a signal ends the waiting, and is seen by the work', async () => {
  const controller = new AbortController();
  const first = withLock(path, async () => sleep(300));
  await sleep(50);
  await expect(
    withLock(path, () => Promise.resolve(), { signal: controller.signal, onWait: () => controller.abort() }),
  ).rejects.toBeInstanceOf(AbortedError);
  await first;
  const later = new AbortController();
  const seen = await withLock(
    path,
    async ({ signal }) => {
      later.abort();
      return Promise.resolve(signal.aborted);
    },
    { signal: later.signal },
  );
  expect(seen).toBe(true);
});

test('where no lock can be made, the error is typed and says why', async () => {
  writeFileSync(join(folder, 'file'), '');
  await expect(withLock(join(folder, 'file/below'), () => Promise.resolve())).rejects.toEqual(
    lost(/cannot be taken: .*(ENOTDIR|EEXIST)/),
  );
});

(existsSync('/proc/self') ? test : test.skip)(
  'a file system that takes no folders is said, not waited for: a home that is mounted when it is asked for may be one',
  async () => {
    const cache = '/proc/covidct-torch';
    await expect(withLock(`${cache}/libtorch/2.13.0+cpu`, () => Promise.resolve())).rejects.toMatchObject({
      code: 'ERR_LOCK',
      message: expect.stringMatching(/ENOENT|EACCES/) as string,
    });
    expect(() => makeTrustedFolder(`${cache}/addons`, cache)).toThrow(
      expect.objectContaining({
        code: 'ERR_CACHE',
        message: expect.stringMatching(/cannot be made/) as string,
      }) as Error,
    );
  },
);
