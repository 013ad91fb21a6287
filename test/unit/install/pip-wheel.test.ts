/** PyTorch's wheel through pip, in the archive's place: taken by its SHA-256 alone. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AbortedError, type CovidCtError } from '../../../src/errors';
import { installLibTorch, type InstallOptions, type InstallProgress } from '../../../src/install/install-libtorch';
import { TESTED_LIBTORCH } from '../../../src/addon/libtorch-folder';
import { pipRequests } from '../../../src/install/pip-wheel';
import { installOptionsSchema, setUpOptionsSchema } from '../../../src/install/options';
import { WHEEL_SHA256 } from '../../../src/install/wheel-hashes';
import { serveArchive, type ArchiveServer } from './archive-server';
import { below, fakePython, libtorchFiles, temporaryFolder, writeZip } from './fake-libtorch';

let folder: string;
let target: string;
let server: ArchiveServer;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  folder = realpathSync(temporaryFolder());
  target = join(folder, 'cache/covidct-torch/libtorch/2.13.0+cpu');
  mkdirSync(join(folder, 'bin'));
  env = {
    ...process.env,
    XDG_CACHE_HOME: join(folder, 'cache'),
    PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
  };
  server = await serveArchive(Buffer.from('never fetched'));
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const archive = () => ({ url: server.url, sha256: '0'.repeat(64) });
const install = (more: InstallOptions = {}) => installLibTorch({ env, archive: archive(), ...more });
const failing = (more: InstallOptions = {}) =>
  install(more).then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as CovidCtError,
  );

describe('the wheel through pip', () => {
  const NAME = 'torch-2.13.0+cpu-cp39-cp39-manylinux_2_28_x86_64.whl';
  const RECORD = 'torch-2.13.0+cpu.dist-info/RECORD';
  const digest = (text: string) => createHash('sha256').update(text).digest('base64url');
  const KNOWN = 'torch-2.13.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl';
  /**
   * Notes its arguments; gives the wheel at the given attempt under the given name, fails before. Its SHA-256 is the
   * one that is named in the environment.
   */
  const pip = (succeedsAt: number, name = NAME, change: (files: Record<string, string>) => void = () => undefined) => {
    const files = { ...below('torch', libtorchFiles('2.13.0', { wheel: true })), 'torch/__init__.py': '' };
    const record = Object.entries(files).map(([file, text]) => `${file},sha256=${digest(text)},${text.length}\n`);
    const all: Record<string, string> = { ...files, [RECORD]: `${record.join('')}${RECORD},,\n` };
    change(all);
    const wheel = writeZip(join(folder, 'torch.whl'), all);
    env['COVIDCT_TORCH_WHEEL_SHA256'] = wheel.sha256;
    fakePython(
      join(folder, 'bin'),
      [
        `echo "$@" >> ${folder}/calls`,
        `[ "$(wc -l < ${folder}/calls)" -lt ${succeedsAt} ] && { echo "ERROR: No matching distribution" >&2; exit 1; }`,
        'while [ "$1" != --dest ]; do shift; done',
        `cp ${wheel.file} "$2"/${name}`,
      ].join('\n'),
    );
    return wheel.sha256;
  };
  const calls = () => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');

  test.each([
    ['refuses', 403],
    ['does not have it', 404],
  ])('is taken when the server %s', async (_, status) => {
    server.manner.status = status;
    pip(1);
    const seen: InstallProgress[] = [];
    expect(await install({ onProgress: (progress) => seen.push(progress) })).toMatchObject({
      installed: true,
      from: NAME,
      libtorch: { root: target },
    });
    expect(seen[0]).toMatchObject({ phase: 'fallback', reason: expect.stringContaining(String(status)) });
    expect(readdirSync(target).sort()).toEqual(['include', 'lib', 'share', 'version.py']);
    expect(readdirSync(join(folder, 'cache/covidct-torch'))).toEqual(['libtorch']);
  });

  test('is taken when nobody listens, from the second source when the first has none', async () => {
    await server.close();
    pip(2);
    await install();
    expect(calls()).toHaveLength(2);
    for (const [i, request] of pipRequests().entries())
      expect(calls()[i]).toMatch(new RegExp(`^-m pip download --no-deps .*${request.at(-1)?.replace('+', '\\+')}$`));
  });

  test('is taken when the server does not answer in time', async () => {
    server.manner.silent = true;
    pip(1);
    const seen: InstallProgress[] = [];
    await install({ connectTimeoutMs: 200, onProgress: (progress) => seen.push(progress) });
    expect(seen[0]).toMatchObject({ phase: 'fallback', reason: expect.stringContaining('no response for 0.2 s') });
  });

  test('with another digest than was named is refused, and nothing of it stays', async () => {
    server.manner.status = 503;
    const actual = pip(1);
    const named = 'a'.repeat(64);
    const error = await failing({ wheelSha256: named.toUpperCase() });
    expect(error.code).toBe('ERR_DOWNLOAD');
    expect(error.message).toContain(`gave ${NAME} with sha256 ${actual}, but ${named} was named`);
    expect(calls()).toHaveLength(2);
    expect(existsSync(target)).toBe(false);
    expect(readdirSync(join(folder, 'cache/covidct-torch/downloads'))).toEqual([]);
  });

  test('that is not known is refused with its digest and the way to allow it; the next source is asked', async () => {
    server.manner.status = 503;
    const actual = pip(1);
    delete env['COVIDCT_TORCH_WHEEL_SHA256'];
    const error = await failing();
    expect(error.code).toBe('ERR_DOWNLOAD');
    expect(error.message).toContain(`gave ${NAME} with sha256 ${actual}, which is not known`);
    expect(error.message).toContain(`COVIDCT_TORCH_WHEEL_SHA256=${actual}, or --sha256`);
    expect(calls()).toHaveLength(2);
    expect(existsSync(target)).toBe(false);
    await install({ wheelSha256: actual });
    expect(existsSync(target)).toBe(true);
  });

  test('with a known name and other bytes is refused at once: it is not what it says', async () => {
    server.manner.status = 503;
    const actual = pip(1, KNOWN);
    env['COVIDCT_TORCH_WHEEL_SHA256'] = '';
    const error = await failing();
    expect(error.code).toBe('ERR_DOWNLOAD');
    expect(error.message).toContain(
      `${KNOWN} that is not PyTorch's: expected sha256 ${WHEEL_SHA256[KNOWN]}, got ${actual}`,
    );
    expect(calls()).toHaveLength(1);
    expect(existsSync(target)).toBe(false);
    expect(readdirSync(join(folder, 'cache/covidct-torch/downloads'))).toEqual([]);
  });

  test.each(['', 'abc', `${'0'.repeat(63)}g`])(
    'what is no SHA-256 is refused before pip is asked: %j',
    async (wheelSha256) => {
      server.manner.status = 503;
      pip(1);
      expect(await failing({ wheelSha256 })).toMatchObject({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringContaining('64 hexadecimal digits'),
      });
      expect(existsSync(join(folder, 'calls'))).toBe(false);
      expect(await failing({ env: { ...env, COVIDCT_TORCH_WHEEL_SHA256: 'abc' } })).toMatchObject({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringContaining('COVIDCT_TORCH_WHEEL_SHA256'),
      });
    },
  );

  test('the known ones are of the version that is fetched, for each platform and Python', () => {
    const names = Object.keys(WHEEL_SHA256);
    for (const [name, digest] of Object.entries(WHEEL_SHA256)) {
      expect(name).toMatch(
        new RegExp(
          `^torch-${TESTED_LIBTORCH.replaceAll('.', '\\.')}` +
            '(\\+cpu-cp3\\d+-cp3\\d+t?-manylinux_2_28_(x86_64|aarch64)|-cp3\\d+-cp3\\d+t?-macosx_14_0_arm64)\\.whl$',
        ),
      );
      expect(digest).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(new Set(Object.values(WHEEL_SHA256)).size).toBe(names.length);
    for (const platform of ['x86_64', 'aarch64', 'macosx'])
      for (const tag of ['cp311', 'cp312', 'cp313', 'cp314'])
        expect(names.some((name) => name.includes(platform) && name.includes(`-${tag}-${tag}-`))).toBe(true);
  });

  test('a full disk is told as that, not as the end of a traceback, and nothing else is tried', async () => {
    server.manner.status = 503;
    fakePython(
      join(folder, 'bin'),
      [
        `echo x >> ${folder}/calls`,
        'echo "Traceback (most recent call last):" >&2',
        'echo "OSError: [Errno 28] No space left on device" >&2',
        'exit 2',
      ].join('; '),
    );
    const error = await failing();
    expect(error.code).toBe('ERR_DOWNLOAD');
    expect(error.message).toMatch(/the disk is full: pip could not write the wheel into .*downloads/);
    expect(calls()).toHaveLength(1);
  });

  const LIBRARY = 'torch/lib/libtorch_cpu.so';
  test.each<[string, (files: Record<string, string>) => void, RegExp]>([
    [
      'whose library is not what its RECORD says',
      (files) => {
        files[LIBRARY] += ' and more';
      },
      /"torch\/lib\/libtorch_cpu\.so" is not what its RECORD says: expected sha256=/,
    ],
    [
      'whose RECORD has no such file',
      (files) => {
        files[RECORD] = files[RECORD]?.replace(LIBRARY, 'torch/lib/other') ?? '';
      },
      /its RECORD has no SHA-256 of "torch\/lib\/libtorch_cpu\.so"/,
    ],
    [
      'whose RECORD has a weaker digest',
      (files) => {
        files[RECORD] = files[RECORD]?.replaceAll('sha256=', 'md5=') ?? '';
      },
      /its RECORD has no SHA-256/,
    ],
    [
      'whose RECORD is no table',
      (files) => {
        files[RECORD] = '"torch';
      },
      /its RECORD cannot be read/,
    ],
    [
      'without a RECORD',
      (files) => {
        delete files[RECORD];
      },
      /is a wheel without a RECORD/,
    ],
  ])('a wheel %s is not put in place', async (_, change, message) => {
    server.manner.status = 503;
    pip(1, NAME, change);
    expect(await failing()).toMatchObject({ code: 'ERR_BAD_ARCHIVE', message: expect.stringMatching(message) });
    expect(readdirSync(join(target, '..'))).toEqual([]);
  });

  test('neither: the error has every attempt and what to do', async () => {
    server.manner.status = 503;
    pip(99);
    const error = await failing();
    expect(error.code).toBe('ERR_DOWNLOAD');
    expect(error.message).toContain('responded with 503');
    expect(error.message.match(/pip download --no-deps torch==2\.13\.0/g)).toHaveLength(2);
    expect(error.message).toContain('ERROR: No matching distribution');
    expect(error.message).toContain('COVIDCT_TORCH_LIBTORCH');
  });

  test('an abort ends pip', async () => {
    server.manner.status = 503;
    fakePython(join(folder, 'bin'), `echo $$ > ${folder}/pid; exec sleep 50`);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 300);
    expect(await failing({ signal: controller.signal })).toBeInstanceOf(AbortedError);
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    await new Promise((done) => setTimeout(done, 200));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  test('no Python at all is told', async () => {
    server.manner.status = 503;
    const error = await failing({ env: { ...env, PATH: join(folder, 'nothing') } });
    expect(error.message).toContain('python3 is not on PATH');
  });

  test('the option is known to both functions, also when it is not given', () => {
    for (const schema of [installOptionsSchema, setUpOptionsSchema]) {
      for (const wheelSha256 of [undefined, 'a'.repeat(64)])
        expect(schema.safeParse({ wheelSha256 }).success).toBe(true);
    }
  });

  test('Linux asks for the CPU build by name', () => {
    for (const request of pipRequests('linux', 'x64')) expect(request[0]).toBe('torch==2.13.0+cpu');
    for (const request of pipRequests('darwin', 'arm64')) expect(request[0]).toBe('torch==2.13.0');
  });
});
