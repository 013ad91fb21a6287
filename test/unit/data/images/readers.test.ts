/** The folder, table and list readers, the stratified split, and how a folder's layout is recognized. */
import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { openCsv } from '../../../../src/data/csv';
import { decodeImage } from '../../../../src/data/images/decode';
import { openFolder } from '../../../../src/data/folder';
import { openDataset } from '../../../../src/data/open';
import { fromSamples, splitDataset } from '../../../../src/data/samples';
import { countClasses } from '../../../../src/data/splits';
import { DatasetError, InvalidOptionError } from '../../../../src/errors';
import { grayPng } from '../../../helpers/images';
import { newFolder, removeFolders, writeAt, writeCovidCt } from '../helpers';

afterEach(removeFolders);

function messageOf(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    expect(error).toBeInstanceOf(DatasetError);
    return (error as Error).message;
  }
  throw new Error('it should have failed');
}

describe('openFolder', () => {
  test('folders for some splits but none for train are refused, not taken for classes', async () => {
    const root = await tree('val/sick/a.png', 'test/sick/b.png');
    await expect(openFolder(root)).rejects.toThrow(/none for train/);
  });

  async function tree(...names: string[]): Promise<string> {
    const root = newFolder();
    for (const name of names) writeAt(root, name, /\.(txt|db)$/.test(name) ? 'x' : await grayPng(3));
    return root;
  }

  test('classes are sorted, files are found at any depth, the rest is reported', async () => {
    const root = await tree(
      'sick/b.JPG',
      'sick/deep er/a%1.png',
      'healthy/1.jpeg',
      'healthy/notes.txt',
      'healthy/.hidden.png',
      'readme.txt',
    );
    const { train, validation, test: held, leftOut, classes } = await openFolder(root);
    expect(classes).toEqual(['healthy', 'sick']);
    expect(train.samples.map(({ id, label }) => [id, label])).toEqual([
      ['healthy/.hidden.png', 0],
      ['healthy/1.jpeg', 0],
      ['sick/b.JPG', 1],
      ['sick/deep er/a%1.png', 1],
    ]);
    expect([validation, held]).toEqual([null, null]);
    expect(leftOut).toEqual([{ reason: 'notAnImage', count: 2, examples: ['readme.txt', 'healthy/notes.txt'] }]);
    expect(train.leftOut).toEqual(leftOut);
    expect((await decodeImage(train.samples[3]!.source)).width).toBe(8);
  });

  test('train, valid and test folders; numbered classes in the order of their numbers; an own order', async () => {
    const root = await tree('train/2/a.png', 'train/10/b.png', 'valid/10/c.png', 'test/2/d.png');
    const splits = await openFolder(root);
    expect(splits.classes).toEqual(['2', '10']);
    expect(
      [splits.train, splits.validation!, splits.test!].map(({ samples }) =>
        samples.map(({ id, label }) => `${id}=${label}`),
      ),
    ).toEqual([['train/2/a.png=0', 'train/10/b.png=1'], ['valid/10/c.png=1'], ['test/2/d.png=0']]);
    expect((await openFolder(root, { classes: ['10', '2'] })).train.samples.map(({ label }) => label)).toEqual([0, 1]);
  });

  test('links are followed, loops end', async () => {
    const root = await tree('a/1.png', 'b/1.png');
    symlinkSync(path.join(root, 'b'), path.join(root, 'a', 'linked'));
    symlinkSync(path.join(root, 'a'), path.join(root, 'b', 'up'));
    const { train } = await openFolder(root);
    expect(train.samples.map(({ id }) => id)).toEqual(['a/1.png', 'a/linked/1.png', 'b/1.png', 'b/up/1.png']);
  });

  test.each([
    ['no classes', ['x.png'], {}, 'no class folders'],
    ['a class without images', ['a/1.png', 'b/x.txt'], {}, 'no images in b'],
    [
      'a class that only the test split has',
      ['train/a/1.png', 'test/b/2.png'],
      {},
      'the class "b" has no folder in the training split',
    ],
    [
      'two folders for one split',
      ['train/a/1.png', 'val/a/1.png', 'validation/a/1.png'],
      {},
      'both mean the validation split',
    ],
    ['an empty split', ['train/a/1.png', 'val/a/x.txt'], {}, 'no images in val'],
    ['classes that do not fit', ['a/1.png', 'b/1.png'], { classes: ['a', 'c'] }, 'the class "c" has no folder'],
  ])('refused: %s', async (_what, names, options, message) => {
    const root = await tree(...names);
    await expect(openFolder(root, options)).rejects.toThrow(DatasetError);
    await expect(openFolder(root, options)).rejects.toThrow(message);
  });

  test('a folder that is not there', async () => {
    await expect(openFolder(path.join(newFolder(), 'none'))).rejects.toThrow(/does not exist/);
    await expect(openFolder(writeAt(newFolder(), 'file', ''))).rejects.toThrow(/is not a folder/);
  });
});

test('openDataset tells the layouts apart', async () => {
  const covid = newFolder();
  await writeCovidCt(covid);
  expect((await openDataset(covid)).name).toBe('COVID-CT');
  const folder = newFolder();
  writeAt(folder, 'a/1.png', await grayPng(1));
  expect(await openDataset(folder)).toMatchObject({ name: path.basename(folder), classes: ['a'], validation: null });
  await expect(openDataset(newFolder())).rejects.toThrow(/no class folders/);
  const half = newFolder();
  writeAt(half, 'Images-processed/CT_COVID/1.png', await grayPng(1));
  await expect(openDataset(half)).rejects.toThrow(/neither the folder Images-processed\/CT_NonCOVID nor/);
});

describe('openCsv', () => {
  const columns = { pathColumn: 'file', labelColumn: 'finding' };

  async function table(text: string): Promise<string> {
    const root = newFolder();
    for (const name of ['a.png', 'b, c.png', 'd "e".png']) writeAt(root, `images/${name}`, await grayPng(1));
    return writeAt(root, 'list.csv', text);
  }

  test('quotes, commas, a byte order mark, CRLF, and a split column', async () => {
    const file = await table(
      '\uFEFFfile,finding,part\r\nimages/a.png,sick,train\r\n"images/b, ' +
        'c.png",well,Val\r\n"images/d ""e"".png",sick,test\r\n\r\n',
    );
    const { name, classes, train, validation, test: held } = await openCsv(file, { ...columns, splitColumn: 'part' });
    expect([name, classes]).toEqual(['list', ['sick', 'well']]);
    expect(train.samples).toEqual([
      { id: 'images/a.png', source: path.join(path.dirname(file), 'images', 'a.png'), label: 0, origin: 'list.csv:2' },
    ]);
    expect(validation!.samples.map(({ id, label, origin }) => [id, label, origin])).toEqual([
      ['images/b, c.png', 1, 'list.csv:3'],
    ]);
    expect(held!.samples[0]!.id).toBe('images/d "e".png');
  });

  test('a root, an order of classes, another delimiter, no splits', async () => {
    const file = await table('file;finding\na.png;sick\nb, c.png;well\n');
    const splits = await openCsv(file, {
      ...columns,
      delimiter: ';',
      root: path.join(path.dirname(file), 'images'),
      classes: ['well', 'sick'],
    });
    expect(splits.train.samples.map(({ label }) => label)).toEqual([1, 0]);
    expect([splits.validation, splits.test]).toEqual([null, null]);
  });

  test('every fault in one error with its line', async () => {
    const file = await table(
      'file,finding,part\nimages/a.png,sick,train\nimages/none.png,sick,train\n' +
        'images/a.png,well,train\n"images/b, c.png",?,extra\n,sick,train\n',
    );
    const error: unknown = await openCsv(file, { ...columns, splitColumn: 'part', classes: ['sick', 'well'] }).catch(
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(DatasetError);
    for (const line of [
      'line 3, column "file": "images/none.png" is not a file',
      'line 4, column "file": "images/a.png" stands already in line 2',
      'line 5, column "finding": the label "?" is not one of sick, well',
      'line 5, column "part": the split "extra" is not',
      'line 6, column "file": the path is empty',
      '5 problems',
    ]) {
      expect((error as Error).message).toContain(line);
    }
  });

  test('no table, no rows, no column, a ragged row, wrong options', async () => {
    await expect(openCsv(path.join(newFolder(), 'none.csv'), columns)).rejects.toThrow(/cannot be read/);
    await expect(openCsv(await table(''), columns)).rejects.toThrow(/no rows/);
    await expect(openCsv(await table('file,finding\n'), columns)).rejects.toThrow(/no rows/);
    await expect(openCsv(await table('path,finding\na.png,x\n'), columns)).rejects.toThrow(
      /no column "file" \(pathColumn, --path-column\)\nThe columns are: path, finding/,
    );
    await expect(openCsv(await table('file,finding\nimages/a.png\n'), columns)).rejects.toThrow(DatasetError);
    await expect(openCsv(await table('x'), { pathColum: 'file' } as never)).rejects.toThrow(InvalidOptionError);
  });
});

describe('fromSamples', () => {
  test('paths become absolute, labels may be names, ids are unique', async () => {
    const png = await grayPng(1);
    const { name, samples } = fromSamples({
      classes: ['no', 'yes'],
      samples: [
        { source: 'some/a.png', label: 'yes' },
        { source: png, label: 0 },
        { source: png, label: 1, id: 'mine' },
      ],
    });
    expect(name).toBe('samples');
    expect(samples.map(({ id, label }) => [id, label])).toEqual([
      ['some/a.png', 1],
      ['sample-1', 0],
      ['mine', 1],
    ]);
    expect(samples[0]!.source).toBe(path.resolve('some/a.png'));
    expect(samples[1]!.source).toBe(png);
    expect(fromSamples({ classes: ['a'], samples: [] }).samples).toEqual([]);
  });

  test('wrong labels, repeated ids, wrong shapes', () => {
    const message = messageOf(() =>
      fromSamples({
        classes: ['a', 'b'],
        samples: [
          { source: 'x', label: 2 },
          { source: 'x', label: 'c' },
        ],
      }),
    );
    expect(message).toContain('samples[0]: the label 2 is not one of 0 a, 1 b');
    expect(message).toContain('samples[1]: the label "c" is not one of');
    expect(message).toContain('samples[1]: the id "x" is taken');
    expect(() => fromSamples({ classes: ['a', 'a'], samples: [] })).toThrow(InvalidOptionError);
    expect(() => fromSamples({ classes: ['a'], samples: [{ source: 5 as never, label: 0 }] })).toThrow(
      /samples\[0\]\.source/,
    );
  });
});

describe('splitDataset', () => {
  const dataset = fromSamples({
    classes: ['a', 'b'],
    samples: Array.from({ length: 100 }, (_, index) => ({ source: `${index}`, label: index < 30 ? 0 : 1 })),
  });
  const ids = (part: { samples: readonly { id: string }[] } | null): number[] =>
    (part?.samples ?? []).map(({ id }) => Number(id));

  test('keeps the share of every class, uses each sample once, keeps the order', () => {
    const {
      train,
      validation,
      test: held,
    } = splitDataset(dataset, { fractions: { train: 0.6, validation: 0.2, test: 0.2 }, seed: 3 });
    expect([train, validation!, held!].map(countClasses)).toEqual([
      { a: 18, b: 42 },
      { a: 6, b: 14 },
      { a: 6, b: 14 },
    ]);
    const all = [...ids(train), ...ids(validation), ...ids(held)];
    expect([...all].sort((x, y) => x - y)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(ids(train)).toEqual([...ids(train)].sort((x, y) => x - y));
  });

  test('repeats with the seed, changes with it, and rounds so that nothing is lost', () => {
    const options = { fractions: { train: 1 / 3, validation: 1 / 3, test: 1 / 3 } };
    expect(ids(splitDataset(dataset, options).train)).toEqual(ids(splitDataset(dataset, options).train));
    expect(ids(splitDataset(dataset, options).train)).not.toEqual(
      ids(splitDataset(dataset, { ...options, seed: 1 }).train),
    );
    const plain = splitDataset(dataset, { ...options, stratify: false });
    expect([plain.train, plain.validation!, plain.test!].map(({ samples }) => samples.length)).toEqual([34, 33, 33]);
  });

  test('a share of 0 is no part; shares that do not sum to 1 are refused', () => {
    const { train, validation, test: held } = splitDataset(dataset, { fractions: { train: 0.9, test: 0.1 } });
    expect([train.samples.length, validation, held!.samples.length]).toEqual([90, null, 10]);
    expect(() => splitDataset(dataset, { fractions: { train: 0.9, test: 0.2 } })).toThrow(/sum to 1/);
  });
});
