/** The installer against a loopback server: whole, resumed, wrong checksum, two at once, killed, hostile zips. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { AbortedError, type CovidCtError } from '../../../src/errors';
import {
  installLibTorch,
  LIBTORCH_ARCHIVES,
  type InstallOptions,
  type InstallProgress,
} from '../../../src/install/install-libtorch';
import { serveArchive, type ArchiveServer } from './archive-server';
import { below, fakePython, libtorchFiles, temporaryFolder, writeFiles, writeZip } from './fake-libtorch';

let folder: string;
let target: string;
let server: ArchiveServer;
let sha256: string;
let env: NodeJS.ProcessEnv;

async function serve(files: Record<string, string | Buffer>, links: Record<string, string> = {}): Promise<void> {
  const zip = writeZip(join(folder, 'served.zip'), files, links);
  sha256 = zip.sha256;
  server = await serveArchive(readFileSync(zip.file));
}

/** A LibTorch big enough (about 400 kB, incompressible) for a download to be interrupted in its middle. */
function bigEnough(): Record<string, string | Buffer> {
  return {
    ...below('libtorch', libtorchFiles()),
    'libtorch/lib/libc10.so': randomBytes(400_000),
    'libtorch/bin/tool': 'not kept',
  };
}

beforeEach(async () => {
  folder = realpathSync(temporaryFolder());
  target = join(folder, 'cache/covidct-torch/libtorch/2.13.0+cpu');
  mkdirSync(join(folder, 'bin'));
  env = {
    ...process.env,
    XDG_CACHE_HOME: join(folder, 'cache'),
    PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
  };
  fakePython(join(folder, 'bin'), 'echo "pip must not be asked" >&2; exit 9');
  await serve(bigEnough());
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const install = (more: InstallOptions = {}) => installLibTorch({ env, archive: { url: server.url, sha256 }, ...more });
const failing = (more: InstallOptions = {}) =>
  install(more).then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as CovidCtError,
  );
const part = () => join(folder, 'cache/covidct-torch/downloads/libtorch-2.13.0+cpu.zip.part');

/** What must be there after every success, and nothing else. */
function expectInPlace(): void {
  expect(readdirSync(join(folder, 'cache/covidct-torch'))).toEqual(['libtorch']);
  expect(readdirSync(join(folder, 'cache/covidct-torch/libtorch'))).toEqual(['2.13.0+cpu']);
  expect(readdirSync(target).sort()).toEqual(['build-version', 'include', 'lib', 'share']);
  expect(statSync(join(target, 'lib/libc10.so')).size).toBe(400_000);
}

test('the pinned archives are of PyTorch, over https, with a checksum', () => {
  expect(Object.keys(LIBTORCH_ARCHIVES)).toEqual(['linux-x64', 'darwin-arm64']);
  for (const archive of Object.values(LIBTORCH_ARCHIVES)) {
    expect(archive.url).toMatch(/^https:\/\/download\.pytorch\.org\/libtorch\/cpu\/.*2\.13\.0.*\.zip$/);
    expect(archive.sha256).toMatch(/^[0-9a-f]{64}$/);
  }
});

describe('the archive', () => {
  test('is fetched whole, checked, unpacked into place; a second call asks nobody', async () => {
    const seen: InstallProgress[] = [];
    const result = await install({ onProgress: (progress) => seen.push(progress) });
    expect(result).toMatchObject({
      installed: true,
      from: server.url,
      libtorch: { root: target, version: '2.13.0', variant: 'cpu', source: 'cache' },
    });
    expectInPlace();
    const downloads = seen.filter((progress) => progress.phase === 'download');
    expect(downloads.at(-1)?.receivedBytes).toBe(downloads.at(-1)?.totalBytes);
    const last = seen.at(-1);
    expect(last?.phase === 'unpack' && last.done === last.total).toBe(true);
    expect(await install()).toMatchObject({ installed: false, from: 'cache' });
    expect(server.ranges).toEqual(['']);
  });

  test('a connection that breaks is taken up where it broke', async () => {
    server.manner.breakAfterBytes = 150_000;
    await install();
    expectInPlace();
    expect(server.ranges).toHaveLength(3);
    expect(server.ranges[0]).toBe('');
    expect(server.ranges[1]).toMatch(/^bytes=\d+-$/);
  });

  test('broken for good: the part stays and running again goes on from there', async () => {
    server.manner.breakAfterBytes = 20_000;
    const error = await failing();
    expect(error.code).toBe('ERR_DOWNLOAD');
    expect(error.message).toMatch(/broke off after \d+ of \d+ bytes .*run again to resume/);
    const size = statSync(part()).size;
    expect(size).toBeGreaterThan(0);
    expect(existsSync(target)).toBe(false);
    delete server.manner.breakAfterBytes;
    await install();
    expect(server.ranges.at(-1)).toBe(`bytes=${size}-`);
    expectInPlace();
  });

  test('a part that is whole already is checked, not fetched; one longer than the file is thrown away', async () => {
    mkdirSync(join(part(), '..'), { recursive: true });
    const whole = readFileSync(join(folder, 'served.zip'));
    writeFileSync(part(), whole);
    await install();
    expectInPlace();
    rmSync(join(folder, 'cache'), { recursive: true });
    mkdirSync(join(part(), '..'), { recursive: true });
    writeFileSync(part(), Buffer.concat([whole, whole]));
    await install();
    expectInPlace();
    expect(server.ranges).toEqual([`bytes=${whole.length}-`, `bytes=${2 * whole.length}-`, '']);
  });

  test('a server without ranges sends it from the beginning', async () => {
    mkdirSync(join(part(), '..'), { recursive: true });
    writeFileSync(part(), readFileSync(join(folder, 'served.zip')).subarray(0, 1000));
    server.manner.ignoreRanges = true;
    await install();
    expectInPlace();
  });

  test('a wrong checksum removes what came, and pip is not asked in its place', async () => {
    const error = await failing({ archive: { url: server.url, sha256: '0'.repeat(64) } });
    expect(error.code).toBe('ERR_DOWNLOAD');
    expect(error.message).toContain(`expected sha256 ${'0'.repeat(64)}, got ${sha256}`);
    expect(existsSync(part())).toBe(false);
    expect(existsSync(target)).toBe(false);
  });

  test('an abort stops it, keeps the part and puts nothing in place', async () => {
    server.manner.bytesPerTick = 2_000;
    const controller = new AbortController();
    const error = await failing({
      signal: controller.signal,
      onProgress: (progress) => {
        if (progress.phase === 'download' && progress.receivedBytes > 10_000) controller.abort();
      },
    });
    expect(error).toBeInstanceOf(AbortedError);
    expect(statSync(part()).size).toBeGreaterThan(10_000);
    expect(existsSync(target)).toBe(false);
  });
});

describe('never twice, never half', () => {
  test('of two at once one fetches and the other waits and finds it done', async () => {
    server.manner.bytesPerTick = 20_000;
    const phases: string[] = [];
    const results = await Promise.all([install(), install({ onProgress: ({ phase }) => phases.push(phase) })]);
    expect(results.map(({ installed }) => installed).sort()).toEqual([false, true]);
    expect(server.ranges).toEqual(['']);
    expect(phases).toContain(results[1]?.installed === true ? 'download' : 'waiting');
    expectInPlace();
  });

  test('an abort ends the waiting for another process', async () => {
    server.manner.bytesPerTick = 4_000;
    const controller = new AbortController();
    const first = install();
    await new Promise((done) => setTimeout(done, 50));
    const second = failing({
      signal: controller.signal,
      onProgress: ({ phase }) => {
        if (phase === 'waiting') controller.abort();
      },
    });
    expect(await second).toBeInstanceOf(AbortedError);
    expect((await first).installed).toBe(true);
    expectInPlace();
  });

  test('killed half way, it is finished by running again', async () => {
    server.manner.bytesPerTick = 4_000;
    const program = `
      const archive = { url: ${JSON.stringify(server.url)}, sha256: '${sha256}' };
      const onProgress = (progress) => console.log(progress.phase, progress.receivedBytes);
      require(${JSON.stringify(resolve(__dirname, '../../../dist/install/install-libtorch.js'))})
        .installLibTorch({ archive, onProgress });`;
    const child = spawn(process.execPath, ['-e', program], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise<void>((done, fail) => {
      child.stdout.on('data', (data: Buffer) => {
        if (/download [1-9]\d{4,}/.test(data.toString())) child.kill('SIGKILL');
      });
      child.once('error', fail);
      child.once('exit', (_, signal) =>
        signal === 'SIGKILL' ? done() : fail(new Error('it ended by itself; is dist/ built?')),
      );
    });
    const size = statSync(part()).size;
    expect(size).toBeGreaterThan(10_000);
    expect(existsSync(target)).toBe(false);
    // What a run killed later leaves as well, and the time that makes the dead one's lock stale.
    writeFiles(join(target, '../.unpacking-1'), { 'include/half': '' });
    const past = new Date(Date.now() - 60_000);
    utimesSync(`${target}.lock`, past, past);
    delete server.manner.bytesPerTick;
    await install();
    expect(server.ranges).toEqual(['', `bytes=${size}-`]);
    expectInPlace();
  });

  test('an incomplete LibTorch in its place is replaced', async () => {
    writeFiles(target, { 'lib/libtorch_cpu.so': 'alone' });
    await install();
    expectInPlace();
  });
});

describe('a zip that must not be unpacked', () => {
  test.each([
    ['a name that leaves the folder', { 'libtorch/include/../../../evil': 'x' }, {}, /evil/],
    ['an absolute name', { '/covidct-evil': 'x' }, {}, /covidct-evil/],
    ['a symbolic link', {}, { 'libtorch/lib/libc10.so': '/etc/passwd' }, /symbolic link/],
    ['nothing of LibTorch', { 'readme.txt': 'x' }, {}, /holds no LibTorch/],
    [
      'another version',
      below('libtorch', libtorchFiles('2.12.0')),
      {},
      /expected a LibTorch 2\.13\.0\+cpu, .* is 2\.12\.0\+cpu/,
    ],
    ['a CUDA build', below('libtorch', libtorchFiles('2.13.0', { cuda: '13.0' })), {}, /is 2\.13\.0\+cu130/],
  ])('%s', async (_, files: Record<string, string>, links: Record<string, string>, message) => {
    await server.close();
    const whole =
      Object.keys(files).some((name) => name.includes('ATen')) || 'readme.txt' in files
        ? {}
        : below('libtorch', libtorchFiles());
    await serve({ ...whole, ...files }, links);
    const error = await failing();
    expect(error.code).toBe('ERR_BAD_ARCHIVE');
    expect(error.message).toMatch(message);
    expect(readdirSync(folder)).not.toContain('evil');
    expect(existsSync(target)).toBe(false);
    expect(readdirSync(join(target, '..'))).toEqual([]);
  });

  test('an entry that does not match its checksum, in a zip that matches its own', async () => {
    await server.close();
    const zip = readFileSync(writeZip(join(folder, 'served.zip'), bigEnough()).file);
    const middle = zip.length >> 1; // in libc10.so, which is most of it
    zip.writeUInt8(zip.readUInt8(middle) ^ 1, middle);
    sha256 = createHash('sha256').update(zip).digest('hex');
    server = await serveArchive(zip);
    const error = await failing();
    expect(error).toMatchObject({ code: 'ERR_BAD_ARCHIVE', message: expect.stringMatching(/libc10\.so.*checksum/) });
    expect(readdirSync(join(target, '..'))).toEqual([]);
  });

  test('a damaged one', async () => {
    await server.close();
    const body = Buffer.from('PK but not a zip');
    sha256 = createHash('sha256').update(body).digest('hex');
    server = await serveArchive(body);
    expect((await failing()).code).toBe('ERR_BAD_ARCHIVE');
  });
});
