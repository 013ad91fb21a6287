/** What counts as an image below a folder, and that everything else is counted. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { nameOfBytes, showBytes } from '../../../src/data/images/byte-path';
import { decodeImage, pathOfSource } from '../../../src/data/images/decode';
import { findImages } from '../../../src/data/find-images';
import { makeDraw } from '../../../src/data/random';
import { countLeftOut, LEFT_OUT_REASONS, leftOutText, mergeLeftOut } from '../../../src/files/left-out';
import { BadImageError } from '../../../src/errors';
import { grayPng } from '../../helpers/images';
import { newFolder, removeFolders, writeAt } from './helpers';

afterEach(removeFolders);

const onLinux = process.platform === 'linux' ? test : test.skip;

function bytePath(root: string, name: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), name]);
}

test('an image is what has the name of one or begins as one; the rest is counted by reason', async () => {
  const root = newFolder();
  const png = await grayPng(3);
  for (const name of ['a.png', 'b', 'c.dat', 'deep/er/d.PNG', '.hidden-but-an-image', 'folder.png/e.png'])
    writeAt(root, name, png);
  for (const name of ['notes.txt', 'empty', 'Thumbs.db', '.DS_Store', '._a.png', '.hidden.png', 'deep/desktop.ini'])
    writeAt(root, name, name === 'empty' ? '' : 'text');
  for (const name of ['@eaDir/a.png', '.git/x.png', 'deep/__MACOSX/._d.png']) writeAt(root, name, png);
  writeAt(root, 'named.png', 'not an image'); // said when it is decoded
  symlinkSync('nowhere.png', path.join(root, 'dead.png'));
  symlinkSync('self', path.join(root, 'self'));
  symlinkSync('..', path.join(root, 'deep', 'up'));
  symlinkSync('a.png', path.join(root, 'link'));
  execFileSync('mkfifo', [path.join(root, 'pipe.png')]);
  const { images, leftOut } = await findImages(root);
  expect(images.map(({ id }) => id)).toEqual([
    '.hidden-but-an-image',
    'a.png',
    'b',
    'c.dat',
    'deep/er/d.PNG',
    'folder.png/e.png',
    'link',
    'named.png',
  ]);
  expect(leftOut).toEqual([
    { reason: 'notAnImage', count: 2, examples: ['empty', 'notes.txt'] },
    { reason: 'deadLink', count: 2, examples: ['dead.png', 'self'] },
    { reason: 'linkLoop', count: 1, examples: ['deep/up/'] },
    { reason: 'notAFile', count: 1, examples: ['pipe.png'] },
    { reason: 'hidden', count: 2, examples: ['.git/', '.hidden.png'] },
    { reason: 'system', count: 6, examples: ['.DS_Store', '._a.png', '@eaDir/', 'Thumbs.db', 'deep/__MACOSX/'] },
  ]);
  expect(leftOutText(leftOut)).toContain(
    '2 links that lead nowhere (dead.png, self); 1 link back to a folder above it (deep/up/)',
  );
  for (const { id, source } of images) if (id !== 'named.png') expect((await decodeImage(source)).width).toBe(8);
});

onLinux('names that are no UTF-8: files are found, opened, named; folders are entered', async () => {
  const root = newFolder();
  const latin1 = Buffer.from('Articl\xe9.png', 'latin1');
  const folder = Buffer.from('d\xfc', 'latin1');
  writeFileSync(bytePath(root, latin1), await grayPng(5));
  writeFileSync(bytePath(root, Buffer.from('\xff\xfe', 'latin1')), 'text');
  writeFileSync(bytePath(root, Buffer.from('bad\xff.png', 'latin1')), 'text');
  mkdirSync(bytePath(root, folder));
  writeFileSync(Buffer.concat([bytePath(root, folder), Buffer.from('/in.png')]), await grayPng(6));
  const { images, leftOut } = await findImages(root);
  expect(images.map(({ id }) => id)).toEqual(['Articl\\xE9.png', 'bad\\xFF.png', 'd\\xFC/in.png']);
  expect(leftOut).toEqual([{ reason: 'notAnImage', count: 1, examples: ['\\xFF\\xFE'] }]);
  const [image, bad, inside] = images.map(({ source }) => source);
  expect([(await decodeImage(image!)).data[10], (await decodeImage(inside!)).data[10]]).toEqual([5, 6]);
  expect(pathOfSource(image!)).toBe(path.join(root, 'Articl\\xE9.png'));
  await expect(decodeImage(image!, { maxPixels: 1 })).rejects.toThrow(/Articl\\xE9\.png.*maxPixels/);
  const error: unknown = await decodeImage(bad!, { origin: 'list:3' }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(BadImageError);
  expect(error).toMatchObject({
    source: path.join(root, 'bad\\xFF.png'),
    message: expect.stringContaining('(listed in list:3)'),
  });
});

test('any bytes can be shown, and no two alike', () => {
  const draw = makeDraw({ seed: 11 });
  const shown = new Map<string, string>();
  for (let round = 0; round < 3000; round += 1) {
    const bytes = Buffer.from(Array.from({ length: 1 + Math.floor(draw() * 6) }, () => Math.floor(draw() * 256)));
    const text = showBytes(bytes);
    expect(shown.get(text) ?? bytes.toString('hex')).toBe(bytes.toString('hex'));
    shown.set(text, bytes.toString('hex'));
    const valid = nameOfBytes(bytes);
    if (valid !== null && !valid.includes('\\')) expect(text).toBe(valid);
  }
});

test('no folder, a file, an unfit path', async () => {
  const root = newFolder();
  await expect(findImages(path.join(root, 'none'))).rejects.toMatchObject({
    code: 'ERR_DATASET',
    message: expect.stringContaining('does not exist'),
  });
  await expect(findImages(writeAt(root, 'a', ''))).rejects.toThrow(/is not a folder/);
  for (const junk of ['', 'a\0b', 5, undefined, null])
    await expect(findImages(junk as string)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  await expect(findImages(root, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  expect(await findImages(newFolder())).toEqual({ images: [], leftOut: [] });
});

test('whatever lies in a folder is an image or is counted, nothing is lost', async () => {
  const draw = makeDraw({ seed: 7 });
  const png = await grayPng(1);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(draw() * list.length)]!;
  for (let round = 0; round < 20; round += 1) {
    const root = newFolder();
    for (let index = 0; index < 30; index += 1) {
      const prefix = pick(['', '.', '._', '@']);
      const name = `${prefix}${index}${pick(['', '.png', '.txt', '.bmp', '.PGM', '.db', ' ', '.png.bak'])}`;
      const where = pick(['', 'a/', 'a/b/', 'x.png/']);
      if (draw() < 0.2) {
        writeAt(root, `${where}keep.txt`, '');
        symlinkSync(pick(['gone', 'keep.txt']), path.join(root, where, name));
      } else writeAt(root, where + name, pick<string | Buffer>([png, 'text', '', Buffer.from('P5 1 1 255\n\0')]));
    }
    const files = Number(execFileSync('sh', ['-c', 'find . ! -type d | wc -l'], { cwd: root, encoding: 'utf8' }));
    const { images, leftOut } = await findImages(root);
    expect(images.length + countLeftOut(leftOut)).toBe(files);
    expect(new Set(images.map(({ id }) => id)).size).toBe(images.length);
  }
});

test('lists are merged in one order', () => {
  const one = [{ reason: 'hidden', count: 2, examples: ['a', 'b'] }] as const;
  const two = [
    { reason: 'deadLink', count: 1, examples: ['c'] },
    { reason: 'hidden', count: 9, examples: ['d', 'e', 'f', 'g', 'h'] },
  ] as const;
  expect(mergeLeftOut(one, undefined, two)).toEqual([
    { reason: 'deadLink', count: 1, examples: ['c'] },
    { reason: 'hidden', count: 11, examples: ['a', 'b', 'd', 'e', 'f'] },
  ]);
  expect(new Set(LEFT_OUT_REASONS).size).toBe(LEFT_OUT_REASONS.length);
});
