/** What a command line may name as images: files, folders, lists of paths, standard input. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import type { Io } from '../../../src/cli/io';
import { listedPaths } from '../../../src/cli/path-list';
import { givenImages, inGroups, whyMissing } from '../../../src/cli/sources';
import type { GivenImage, MissingImage } from '../../../src/cli/sources';
import type { LeftOut } from '../../../src/index';

let dir: string;
let a: string;
let b: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-sources-'));
  await mkdir(join(dir, 'folder', 'inner', 'deep'), { recursive: true });
  await mkdir(join(dir, 'empty'));
  [a, b] = [join(dir, 'folder', 'a.jpg'), join(dir, 'folder', 'inner', 'deep', 'b.PNG')];
  for (const file of [a, b, join(dir, 'folder', 'notes.txt')]) await writeFile(file, '');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function ioWith(input?: Iterable<Buffer>, controller = new AbortController()): Io {
  return {
    env: {},
    signal: controller.signal,
    stdin: input === undefined ? undefined : Readable.from(input),
  } as unknown as Io;
}

async function all(
  paths: readonly string[],
  io = ioWith(),
): Promise<{ images: GivenImage[]; leftOut: LeftOut[]; total: number | null }> {
  const given = await givenImages(paths, io);
  const [images, leftOut]: [GivenImage[], LeftOut[]] = [[], []];
  for await (const image of given.images((list) => leftOut.push(...list))) images.push(image);
  return { images, leftOut, total: given.total };
}

async function list(name: string, content: string | Buffer): Promise<string> {
  await writeFile(join(dir, name), content);
  return `@${join(dir, name)}`;
}

const pathsOf = (images: readonly GivenImage[]): string[] => images.map(({ name }) => name);

test('a folder stands for the images in it and in its folders, and says what it leaves out', async () => {
  const { images, leftOut, total } = await all([join(dir, 'folder'), a]);
  expect(pathsOf(images)).toEqual([a, b, a]);
  expect(total).toBe(3);
  expect(leftOut).toEqual([{ reason: 'notAnImage', count: 1, examples: ['notes.txt'] }]);
  await expect(givenImages([join(dir, 'empty')], ioWith())).rejects.toThrow('holds no image');
  await expect(givenImages([join(dir, 'nowhere')], ioWith())).rejects.toThrow(
    'nowhere: it does not exist (ENOENT: stat',
  );
});

test.each([
  ['lines', (paths: string[]) => paths.join('\n')],
  ['lines with an end', (paths: string[]) => `${paths.join('\n')}\n`],
  ['lines of Windows, a byte-order mark, empty lines', (paths: string[]) => `\ufeff${paths.join('\r\n\r\n')}\r\n`],
  ['NUL, as find -print0 writes', (paths: string[]) => `${paths.join('\0')}\0`],
])('a list of paths: %s', async (_, write) => {
  const { images, total } = await all([await list('list.txt', write([a, b, join(dir, 'folder', 'inner')]))]);
  expect(pathsOf(images)).toEqual([a, b, b]);
  expect(total).toBeNull();
});

test('a path may hold anything but the separator: spaces, line ends between NULs, bytes that are no UTF-8', async () => {
  const odd = Buffer.concat([Buffer.from(join(dir, 'folder', ' x')), Buffer.from([0xe9, 0x0a]), Buffer.from('.png')]);
  await writeFile(odd, '');
  const { images } = await all([await list('list.txt', Buffer.concat([odd, Buffer.from([0])]))]);
  expect(images).toHaveLength(1);
  expect(images[0]?.name).toContain('\\xE9');
  expect(images[0]).toHaveProperty('source.readPixels');
  await rm(odd);
  // In a folder as well it is named by the path as it was given, like every other.
  const beside = Buffer.concat([Buffer.from(join(dir, 'folder', 'x')), Buffer.from([0xe9])]);
  await writeFile(beside, Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'));
  const given = relative('.', join(dir, 'folder'));
  expect(pathsOf((await all([given])).images)).toContain(join(given, 'x\\xE9'));
  await rm(beside);
});

test('what a list names and is not there is told with its line; it ends the command unless such files are skipped', async () => {
  const { images } = await all([await list('list.txt', `${a}\n${join(dir, 'gone.png')}\n${join(dir, 'empty')}\n`)]);
  expect(images[1]).toEqual({
    name: join(dir, 'gone.png'),
    problem: expect.stringContaining('it does not exist (ENOENT'),
    where: `${join(dir, 'list.txt')}:2`,
  });
  expect(images[2]).toMatchObject({ problem: 'the folder holds no image' });
  expect(whyMissing(images[1] as MissingImage, 'skip')).toEqual({
    path: join(dir, 'gone.png'),
    error: expect.stringContaining('it does not exist'),
  });
  expect(() => whyMissing(images[1] as MissingImage, 'error')).toThrow(
    /list\.txt:2: .*gone\.png: it does not exist .*; .*--on-bad-file skip/,
  );
});

test('lists that are none are refused', async () => {
  await expect(all([await list('list.txt', '')])).rejects.toThrow(
    /list\.txt: expected a list with one path per line; it is empty/,
  );
  await expect(all([await list('list.txt', Buffer.alloc(200_000, 'x'))])).rejects.toThrow(
    /list\.txt:1: .*longer than any path/,
  );
  await expect(givenImages([`@${join(dir, 'nowhere')}`], ioWith())).rejects.toThrow(
    /expected a list of paths: it does not exist .*is \.\/@/,
  );
  await expect(givenImages([`@${dir}`], ioWith())).rejects.toThrow('got a folder; give it without the @');
});

test('standard input: an image, or a list', async () => {
  const { images, total } = await all(['-', a], ioWith([Buffer.from('one'), Buffer.from('two')]));
  expect(images).toEqual([
    { name: '-', source: Buffer.from('onetwo') },
    { name: a, source: a },
  ]);
  expect(total).toBe(2);
  expect(
    pathsOf(
      (await all(['@-'], ioWith([Buffer.from(`${a}\n`.slice(0, 7)), Buffer.from(`${a}\n${b}`.slice(7))]))).images,
    ),
  ).toEqual([a, b]);
  await expect(all(['-'], ioWith([]))).rejects.toThrow('it is empty');
  await expect(all(['-'])).rejects.toThrow('which is a terminal');
  for (const twice of [
    ['-', '-'],
    ['-', '@-'],
    ['@-', '@-'],
  ])
    await expect(givenImages(twice, ioWith([]))).rejects.toThrow('named twice');
});

test('Ctrl-C ends the wait for standard input', async () => {
  const controller = new AbortController();
  const stdin = new Readable({ read: () => undefined });
  const waiting = all(['@-'], { env: {}, signal: controller.signal, stdin } as unknown as Io);
  setTimeout(() => controller.abort(), 20);
  await expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' });
});

test('a list of a hundred thousand paths is read as it is used, not before', async () => {
  let made = 0;
  function* lines(): Generator<Buffer> {
    for (; made < 100_000; made += 1) yield Buffer.from(`${a}\n`);
  }
  const given = await givenImages(['@-'], ioWith(lines()));
  let count = 0;
  for await (const group of inGroups(
    given.images(() => undefined),
    8,
  )) {
    count += group.length;
    if (count >= 800) break;
  }
  expect(count).toBe(800);
  expect(made).toBeLessThan(2_000);
});

test('however a list is cut into chunks, its paths are the same', async () => {
  const text = Buffer.from('\ufeffone\r\n\r\nzwei \r\nde\rux\nlast');
  for (let size = 1; size <= text.length; size += 1) {
    const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, index) =>
      text.subarray(index * size, (index + 1) * size),
    );
    const found: string[] = [];
    for await (const { path, line } of listedPaths(Readable.from(chunks), 'x'))
      found.push(`${line}:${path.toString()}`);
    expect(found).toEqual(['1:one', '3:zwei ', '4:de\rux', '5:last']);
  }
});
