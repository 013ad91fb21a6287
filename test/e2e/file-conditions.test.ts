/** What can be wrong with a path, through every command that takes one: each condition is called by its name. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePhantoms } from '../../src/index';
import { makeFolder, writeWhole } from '../../src/files/write';
import { runCommand as run, tinyTraining } from '../helpers/command-line';
import { weightsIn } from '../helpers/kept';

let dir: string;
let phantoms: string;
let model: string;
let weights: string;
let readOnly: string | null = null;
let full: string | null = null;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-conditions-'));
  [phantoms, model] = [join(dir, 'phantoms'), join(dir, 'model')];
  await makePhantoms(phantoms, { count: 24, size: 48 });
  await writeFile(join(dir, 'a-file'), 'x');
  await mkdir(join(dir, 'a-folder'));
  await symlink(join(dir, 'loop'), join(dir, 'loop'));
  const trained = await run(tinyTraining(phantoms, model));
  expect(trained).toMatchObject({ code: 0 });
  weights = await weightsIn(model);
  try {
    // Only root may mount; elsewhere a folder without the right to write stands in.
    await mkdir(join(dir, 'read-only'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'none', join(dir, 'read-only')], { stdio: 'ignore' });
    readOnly = join(dir, 'read-only');
    await mkdir(join(dir, 'full'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'none', join(dir, 'full')], { stdio: 'ignore' });
    full = join(dir, 'full');
    await writeFile(join(full, 'filler'), Buffer.alloc(2 ** 16)).catch(() => undefined); // to the last block
  } catch {
    if (process.getuid?.() !== 0) await chmod(join(dir, 'read-only'), 0o500);
  }
}, 120_000);

afterAll(async () => {
  for (const mounted of [readOnly, full]) if (mounted !== null) execFileSync('umount', [mounted]);
  await chmod(join(dir, 'read-only'), 0o700);
  await rm(dir, { recursive: true, force: true });
});

/** A path of that kind below the test's folder, and how people are told. */
const CONDITIONS: Readonly<Record<string, { readonly path: (name: string) => string; readonly words: RegExp }>> = {
  missing: { path: (name) => join(dir, 'none', name), words: /does not exist/ },
  'through a file': {
    path: (name) => join(dir, 'a-file', name),
    words: /a part of the path is a file, not a folder|is a file/,
  },
  'a link loop': { path: (name) => join(dir, 'loop', name), words: /its links lead in a circle/ },
  'a name that is too long': { path: (name) => join(dir, 'x'.repeat(300), name), words: /the name is too long/ },
};

/** Commands that read what a path names. */
const READERS: Readonly<Record<string, (path: string) => string[]>> = {
  'train --data': (path) => ['train', '--data', path, '--out', join(dir, 'new')],
  'train --config': (path) => ['train', '--config', path],
  'train --weights': (path) => [
    'train',
    '--data',
    phantoms,
    '--out',
    join(dir, 'new'),
    '--arch',
    'tiny',
    '--weights',
    `${path}.pth`,
  ],
  'evaluate --data': (path) => ['evaluate', '--model', model, '--data', path],
  'evaluate --model': (path) => ['evaluate', '--model', path, '--data', phantoms],
  'prepare --data': (path) => ['prepare', '--data', path, '--out', join(dir, 'new.pack')],
  predict: (path) => ['predict', '--model', model, path],
  'predict @list': (path) => ['predict', '--model', model, `@${path}`],
  explain: (path) => ['explain', '--model', model, '--out', join(dir, 'o'), path],
  report: (path) => ['report', path],
  runs: (path) => ['runs', path],
  'weights inspect': (path) => ['weights', 'inspect', path],
  'weights convert': (path) => ['weights', 'convert', path, '--out', join(dir, 'out.safetensors')],
  'import --weights': (path) => [
    'import',
    '--arch',
    'tiny',
    '--classes',
    'a,b',
    '--out',
    join(dir, 'imported'),
    '--weights',
    `${path}.pth`,
  ],
};

/** Commands that write where a path says. */
const WRITERS: Readonly<Record<string, (path: string) => string[]>> = {
  'train --out': (path) => tinyTraining(phantoms, path),
  'prepare --out': (path) => ['prepare', '--data', phantoms, '--out', path],
  'explain --out': (path) => [
    'explain',
    '--model',
    model,
    '--out',
    path,
    join(phantoms, 'Images-processed/CT_COVID/phantom-covid-0001.png'),
  ],
  'weights convert --out': (path) => ['weights', 'convert', weights, '--out', path],
  'import --out': (path) => ['import', '--arch', 'tiny', '--classes', 'a,b', '--weights', weights, '--out', path],
  'demo --phantoms': (path) => ['demo', '--phantoms', path, '--out', join(dir, 'demo')],
};

test.each(
  Object.entries(READERS).flatMap(([name, args]) =>
    Object.keys(CONDITIONS).map((condition) => [name, condition, args] as const),
  ),
)(
  '%s: %s',
  async (_, condition, args) => {
    const { path, words } = CONDITIONS[condition]!;
    const { code, stderr } = await run(args(path('name')));
    expect(stderr).toMatch(words);
    expect([1, 2]).toContain(code);
    expect(stderr).not.toMatch(/no such file or directory|is not a folder/);
  },
  30_000,
);

test.each(
  Object.entries(WRITERS).flatMap(([name, args]) =>
    Object.keys(CONDITIONS)
      .filter((condition) => condition !== 'missing')
      .map((condition) => [name, condition, args] as const),
  ),
)(
  '%s: %s',
  async (_, condition, args) => {
    const { path, words } = CONDITIONS[condition]!;
    const { code, stderr } = await run(args(path('name')));
    expect(stderr).toMatch(words);
    expect([1, 2]).toContain(code);
  },
  30_000,
);

test.each(Object.entries(WRITERS))(
  '%s: a file system that is read-only, and one that takes no folders',
  async (_, args) => {
    const there = await run(args(join(dir, 'read-only', 'a', 'b')));
    if (readOnly !== null) expect(there.stderr).toMatch(/the file system is read-only/);
    else if (process.getuid?.() !== 0) expect(there.stderr).toMatch(/this user has no permission/);
    const { code, stderr } = await run(args('/proc/covidct/a'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/does not exist|no permission|does not permit it|read-only/);
  },
  60_000,
);

test.each(['train --out', 'prepare --out', 'explain --out', 'weights convert --out', 'import --out'])(
  '%s: a full disk',
  async (name) => {
    if (full === null) return;
    const { code, stderr } = await run(
      (WRITERS[name] as (path: string) => string[])(join(full, name.replace(' --out', ''), 'b')),
    );
    expect(stderr).toMatch(/(the disk is full \(ENOSPC|MiB of free disk).*free some space.* or choose another folder/);
    expect(code).toBe(1);
  },
  60_000,
);

test('results that cannot be written are told of, also where the command had ended before', () => {
  if (!existsSync('/dev/full')) return;
  const stdout = openSync('/dev/full', 'w');
  const { status, stderr } = spawnSync(process.execPath, [join(__dirname, '../../dist/cli/main.js'), '--help'], {
    stdio: ['ignore', stdout, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(stdout);
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: 'covidct: the results cannot be written: the disk is full (ENOSPC: write)\n',
  });
});

test('a device is not replaced by a file', async () => {
  const { code, stderr } = await run(['weights', 'convert', weights, '--out', '/dev/null', '--overwrite']);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining('/dev/null: expected the name of a file to write'),
  });
});

test('folders are made as far as they can be, twice and at once, and the failure is the true one', async () => {
  const deep = join(dir, 'made', 'a', 'b', 'c');
  await Promise.all([makeFolder(deep), makeFolder(deep), makeFolder(join(deep, 'd'))]);
  await makeFolder(deep);
  await makeFolder('.');
  await expect(makeFolder(join(dir, 'a-file', 'x'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  await expect(makeFolder(join(dir, 'a-file'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  await expect(makeFolder('/proc/covidct/a')).rejects.toMatchObject({ code: expect.stringMatching(/^E/) });
  if (readOnly !== null)
    await expect(writeWhole(join(readOnly, 'a/b/c.txt'), '')).rejects.toMatchObject({
      code: 'ERR_RUN_FOLDER',
      message: expect.stringMatching(/read-only \(EROFS: mkdir .*; choose another folder/),
    });
});
