/** Folders that others could have filled: refused with the path and the command that puts it right. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lchownSync,
  mkdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { CovidCtError } from '../../../src/errors';
import { findLibTorch } from '../../../src/addon/libtorch';
import { assertTrustedFolder, makeTrustedFolder } from '../../../src/files/trusted-folder';
import { libtorchFiles, temporaryFolder, writeFiles } from '../install/fake-libtorch';

const isRoot = process.getuid?.() === 0;
const STRANGER = 4_242;

let base: string;
let root: string;
let folder: string;

beforeEach(() => {
  base = realpathSync(temporaryFolder());
  root = join(base, 'covidct-torch');
  folder = join(root, 'libtorch/2.13.0+cpu');
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  writeFileSync(join(folder, 'file'), 'x', { mode: 0o644 });
  for (const each of [root, join(root, 'libtorch'), folder]) chmodSync(each, 0o755);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function refusal(path: string = folder): CovidCtError | undefined {
  try {
    assertTrustedFolder(path, root);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(CovidCtError);
    expect((error as CovidCtError).code).toBe('ERR_CACHE');
    return error as CovidCtError;
  }
}

test("the user's own folder is trusted, and a file in it", () => {
  expect(refusal()).toBeUndefined();
  expect(refusal(join(folder, 'file'))).toBeUndefined();
});

describe.each([
  ['the cache', ''],
  ['a folder on the way', 'libtorch'],
  ['the folder itself', 'libtorch/2.13.0+cpu'],
  ['a file', 'libtorch/2.13.0+cpu/file'],
])('%s', (_, name) => {
  const place = () => join(root, name);
  const file = () => join(folder, 'file');

  test('written by every user', () => {
    chmodSync(place(), 0o757);
    expect(refusal(file())?.message).toContain(`${place()} can be written by every user`);
    expect(refusal(file())?.message).toContain(`chmod go-w ${place()}`);
    chmodSync(place(), 0o755);
    expect(refusal(file())).toBeUndefined();
  });

  test('written by every user, sticky: new files can be put there all the same', () => {
    chmodSync(place(), 0o1777);
    expect(refusal(file())?.message).toContain('can be written by every user');
  });

  (isRoot ? test : test.skip)('of another user, or written by a group of several', () => {
    chownSync(place(), STRANGER, STRANGER);
    expect(refusal(file())?.message).toContain(`${place()} belongs to another user (number ${STRANGER}; this is 0)`);
    chownSync(place(), 0, STRANGER);
    chmodSync(place(), 0o775);
    expect(refusal(file())?.message).toContain(`can be written by a group (number ${STRANGER})`);
    chmodSync(place(), 0o755);
    expect(refusal(file())).toBeUndefined();
  });
});

test('a folder above in which every user can rename it', () => {
  chmodSync(base, 0o777);
  expect(refusal()?.message).toContain(`lies in ${base}, in which every user can rename it`);
  chmodSync(base, 0o1777);
  expect(refusal()).toBeUndefined();
});

test('a symbolic link is followed: its target counts, and what lies above that', () => {
  const elsewhere = join(base, 'shared');
  mkdirSync(join(elsewhere, 'torch'), { recursive: true });
  rmSync(folder, { recursive: true });
  symlinkSync(join(elsewhere, 'torch'), folder);
  expect(refusal()).toBeUndefined();
  chmodSync(elsewhere, 0o777);
  expect(refusal()?.message).toContain(`lies in ${elsewhere}`);
  chmodSync(elsewhere, 0o755);
  chmodSync(join(elsewhere, 'torch'), 0o777);
  expect(refusal()?.message).toContain('can be written by every user');
  if (!isRoot) return;
  chmodSync(join(elsewhere, 'torch'), 0o755);
  lchownSync(folder, STRANGER, STRANGER);
  expect(refusal()?.message).toContain(`${folder} belongs to another user`);
});

/** What another user's process makes of the folder; it needs dist/, and root to start it. */
function asUser(uid: number, gid: number): string {
  for (const each of [base, root]) chmodSync(each, 0o755);
  // A copy, because the repository may lie where only its owner can read.
  const copy = join(base, 'dist');
  if (!existsSync(copy)) cpSync(join(__dirname, '../../../dist'), copy, { recursive: true });
  const program = `
    try { require(process.argv[1]).assertTrustedFolder(process.argv[2], process.argv[3]); console.log('trusted'); }
    catch (error) { console.log(error.code, error.message); }`;
  const file = join(copy, 'files/trusted-folder.js');
  const run = spawnSync(process.execPath, ['-e', program, file, folder, root], {
    uid,
    gid,
    encoding: 'utf8',
    cwd: '/',
  });
  return run.stdout + run.stderr;
}

(isRoot ? test : test.skip)(
  'seen by a user without a name, as some containers have: own, of root, of others, by group',
  () => {
    expect(asUser(STRANGER, STRANGER)).toBe('trusted\n'); // root's folder, which this user cannot write
    chownSync(folder, STRANGER, STRANGER);
    chmodSync(folder, 0o775);
    expect(asUser(STRANGER, STRANGER)).toBe('trusted\n'); // its own group, unlisted, with its own number
    chownSync(folder, STRANGER, 0);
    expect(asUser(STRANGER, 0)).toBe('trusted\n'); // root's group, which such a user may be in
    chownSync(folder, STRANGER, STRANGER + 1);
    expect(asUser(STRANGER, STRANGER + 1)).toContain(`can be written by a group (number ${STRANGER + 1})`);
    chownSync(folder, STRANGER + 1, STRANGER);
    expect(asUser(STRANGER, STRANGER)).toContain('ERR_CACHE');
  },
);

(isRoot ? test : test.skip)(
  'below a folder that is closed to others no mode matters: with ' +
    'umask 002 and a group of several, what was just made is used',
  () => {
    for (const each of [folder, join(folder, 'file')]) {
      chownSync(each, 0, STRANGER);
      chmodSync(each, 0o775);
    }
    chmodSync(join(root, 'libtorch'), 0o700);
    expect(refusal(join(folder, 'file'))).toBeUndefined();
    chmodSync(join(root, 'libtorch'), 0o710);
    expect(refusal(join(folder, 'file'))?.message).toContain(`${folder} can be written by a group`);
    chmodSync(join(root, 'libtorch'), 0o700);
    chownSync(folder, STRANGER, STRANGER);
    expect(refusal()?.message).toContain(`${folder} belongs to another user`);
  },
);

test('a link out of a closed folder leads to what is looked at anew', () => {
  const elsewhere = join(base, 'shared/torch');
  mkdirSync(join(elsewhere, 'lib'), { recursive: true });
  chmodSync(join(elsewhere, 'lib'), 0o777);
  chmodSync(root, 0o700);
  rmSync(folder, { recursive: true });
  symlinkSync(elsewhere, folder);
  expect(refusal()).toBeUndefined();
  expect(refusal(join(folder, 'lib'))?.message).toContain('can be written by every user');
});

test('a path outside the cache is looked at alone, with what is above it', () => {
  const own = join(base, 'own');
  mkdirSync(own);
  chmodSync(root, 0o777);
  expect(refusal(own)).toBeUndefined();
  chmodSync(own, 0o777);
  expect(refusal(own)?.message).toContain('can be written by every user');
});

test('what is not there is said', () => {
  expect(refusal(join(root, 'absent'))?.message).toMatch(/absent cannot be inspected: .*ENOENT/);
});

test('a folder is made closed to others, whatever the umask', () => {
  const before = process.umask(0);
  try {
    const made = makeTrustedFolder(join(root, 'downloads/deep'), root);
    expect([made, join(root, 'downloads')].map((each) => statSync(each).mode & 0o777)).toEqual([0o700, 0o700]);
  } finally {
    process.umask(before);
  }
  writeFileSync(join(root, 'file'), '');
  expect(() => makeTrustedFolder(join(root, 'file/below'), root)).toThrow(
    expect.objectContaining({ code: 'ERR_CACHE', message: expect.stringContaining('cannot be made') }),
  );
});

test('a LibTorch in such a cache is refused, not passed over for the next place', () => {
  const libtorch = join(base, 'cache/covidct-torch/libtorch/2.13.0+cpu');
  const beside = join(base, 'system');
  writeFiles(libtorch, libtorchFiles());
  writeFiles(beside, libtorchFiles());
  const look = () =>
    findLibTorch({
      env: { PATH: '', XDG_CACHE_HOME: join(base, 'cache') },
      platform: 'linux',
      systemFolders: [beside],
    });
  chmodSync(libtorch, 0o755);
  expect(look().source).toBe('cache');
  chmodSync(join(libtorch, 'lib'), 0o777);
  expect(look).toThrow(
    expect.objectContaining({
      code: 'ERR_CACHE',
      message: expect.stringContaining(`${join(libtorch, 'lib')} can be written by every user`),
    }),
  );
});
