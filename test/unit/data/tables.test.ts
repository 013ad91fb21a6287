/**
 * Tables of paths and labels: doubtful ones are errors with line and column, and no junk brings anything else about.
 */
import { linkSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openCsv } from '../../../src/data/csv';
import { describeDataset } from '../../../src/data/describe';
import { openDataset } from '../../../src/data/open';
import { makeDraw } from '../../../src/data/random';
import { decodeText } from '../../../src/data/table';
import { CovidCtError, DatasetError } from '../../../src/errors';
import { grayPng } from '../../helpers/images';
import { newFolder, removeFolders, writeAt } from './helpers';

let root: string;
beforeAll(async () => {
  root = newFolder();
  for (const name of ['a.png', 'b.png', 'c.png', 'd.png']) writeAt(root, name, await grayPng(1));
  symlinkSync('a.png', path.join(root, 'link.png'));
  linkSync(path.join(root, 'b.png'), path.join(root, 'hard.png'));
});
afterAll(removeFolders);

function table(content: string | Uint8Array, name = 'list.csv'): string {
  return writeAt(root, name, content);
}

async function failure(content: string | Uint8Array, options = {}): Promise<string> {
  const error: unknown = await openCsv(table(content), options).then(
    () => Promise.reject(new Error('it should have failed')),
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(DatasetError);
  return (error as Error).message;
}

const GOOD = 'file,label\na.png,x\nb.png,y\n';

test.each([
  [
    'Latin-1',
    Buffer.from('file,label\na.png,x\nb.png,Articl\xe9\n', 'latin1'),
    'line 3, column 13: the byte 0xE9 is not UTF-8. It may be Latin-1 or Windows-1252',
  ],
  [
    'Latin-1 after UTF-8',
    Buffer.concat([Buffer.from('file,label\ré,'), Buffer.from([0xff])]),
    'line 2, column 3: the byte 0xFF',
  ],
  ['a cut character', Buffer.from([0x61, 0xe2, 0x82]), 'line 1, column 2: the byte 0xE2'],
  ['UTF-16 without its mark', Buffer.from(GOOD, 'utf16le'), 'line 1, column 2: a byte of zero'],
  [
    'UTF-16 without its mark, with other letters',
    Buffer.from('file,label\na.png,Ü\n', 'utf16le'),
    'It may be UTF-16 without its byte-order mark',
  ],
  [
    'half of UTF-16',
    Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from([0x00, 0xd8, 0x41, 0x00])]),
    'begins with the byte-order mark of UTF-16',
  ],
  [
    'an Excel file',
    Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.from([0xff, 0, 0xfe])]),
    'It is a zip archive, where a table of text was expected; save an .xlsx as CSV',
  ],
  ['nothing', '', 'the table has no rows'],
  ['blank lines', '\n\n\n', 'the table has no rows'],
  ['one column name twice', 'file,label,label\na.png,x,y\n', 'line 1: columns 2 and 3 are both named "label"'],
  ['a column without a name', 'file,,label\na.png,5,x\n', 'line 1: column 2 has no name'],
  ['a short row', 'file,label\na.png\nb.png,y\n', 'line 2: expected 2 fields as in the first line; it has 1'],
  ['a long row', 'file,label\na.png,x\nb.png,y,z\n', 'line 3: expected 2 fields as in the first line; it has 3'],
  [
    'a quotation mark that is not closed',
    'file,label\n"a.png,x\nb.png,y\n',
    'the row that begins in line 2 is never closed',
  ],
  [
    'a quotation mark that is not closed, of the first row',
    '"file,label\na.png,x\n',
    'the row that begins in line 1 is never closed',
  ],
  [
    'the same, with the line ends of Windows',
    'file,label\r\na.png,"x\r\ny"\r\n"b.png,y\r\nc.png,z\r\n',
    'the row that begins in line 4 is never closed',
  ],
  [
    'an empty label under a cell of two lines',
    'file,label\r\na.png,"x\r\ny"\r\nb.png,\r\n',
    'line 4, column "label": the label is empty',
  ],
  ['an empty label', 'file,label\na.png,x\nb.png,\n', 'line 3, column "label": the label is empty'],
  [
    'NaN as a label',
    'file,label\na.png,x\nb.png,NaN\n',
    'line 3, column "label": the label "NaN" reads like a missing one',
  ],
  ['None as a label', 'file,label\na.png,None\nb.png,y\n', 'line 2, column "label": the label "None"'],
  [
    'labels that differ by case',
    'file,label\na.png,covid\nb.png,COVID\nc.png,y\n',
    '"COVID" (line 3, column "label") and "covid" (line 2, column "label") differ only by case',
  ],
  [
    'labels that differ by spaces',
    'file,label\na.png,"no finding "\nb.png,no  finding\nc.png,y\n',
    'differ only by case, spaces',
  ],
  ['numbers written in two ways', 'file,label\na.png,1\nb.png,1.0\nc.png,0\n', 'how a number is written'],
  ['an empty path', 'file,label\n,x\nb.png,y\n', 'line 2, column "file": the path is empty'],
  ['a folder as a path', 'file,label\n.,x\nb.png,y\n', 'line 2, column "file": "." is not a file'],
  [
    'one path in two splits',
    'file,label,split\na.png,x,train\nb.png,y,train\na.png,x,test\n',
    'line 4, column "file": "a.png" stands already in line 2, there for train',
  ],
  ['one file by two spellings', 'file,label\na.png,x\n./a.png,y\n', '"./a.png" is the same file as "a.png" in line 2'],
  [
    'one file by a link',
    'file,label,split\na.png,x,train\nlink.png,y,val\n',
    '"link.png" is the same file as "a.png" in line 2, there for train',
  ],
  ['one file by a hard link', 'file,label\nb.png,x\nhard.png,y\n', '"hard.png" is the same file as "b.png"'],
  [
    'an empty split',
    'file,label,split\na.png,x,train\nb.png,y,\n',
    'line 3, column "split": the split "" is not train, val or test',
  ],
  [
    'two names for a split',
    'file,label,split\na.png,x,train\nb.png,y,val\nc.png,y,dev\n',
    '"val" and "dev" both mean the validation split',
  ],
  ['no training rows', 'file,label,split\na.png,x,val\nb.png,y,test\n', 'no row is for train'],
  [
    'two columns for the label',
    'file,label,class\na.png,x,y\n',
    '"label" and "class" may hold the labels: say which with labelColumn (--label-column)',
  ],
  [
    'no column for the path',
    'who,label\na.png,x\n',
    'which column holds the paths of the images? Say it with pathColumn (--path-column)',
  ],
  ['the negative class last', 'file,label\na.png,COVID\nb.png,NonCOVID\n', 'which class is positive?'],
  [
    'a column of names for the classes',
    `file,label\n${Array.from({ length: 150 }, (_, index) => `a.png,name${index}`).join('\n')}\n`,
    'has 150 different labels in 150 rows',
  ],
] as const)('refused: %s', async (_what, content, message) => expect(await failure(content)).toContain(message));

test.each([
  ['a split that is none', 'file,label,split\na.png,x,trian\nb.png,y,train\n', {}, 'Correct the table.'],
  [
    'a path of Windows',
    'file,label\nimages\\a.png,x\nb.png,y\n',
    {},
    'Correct the table, whose paths must have / where they have ' +
      '\\, or say which folder its paths begin in with root (--root).',
  ],
  [
    'a path that is not there',
    'file,label\nimages/a.png,x\nb.png,y\n',
    {},
    'Correct the table, or say which folder its paths begin in with root (--root).',
  ],
  [
    'a label that is no class',
    'file,label\na.png,x\nb.png,y\n',
    { classes: ['x', 'z'] },
    'Correct the table, or give the classes that are there (classes, --classes).',
  ],
] as const)('what to do about %s', async (_what, content, options, advice) =>
  expect((await failure(content, { ...options })).split('\n').at(-1)).toBe(advice),
);

test('no such table, a folder, an unfit path', async () => {
  await expect(openCsv(path.join(root, 'none.csv'))).rejects.toThrow('it does not exist');
  await expect(openCsv(root)).rejects.toThrow('it is a folder');
  for (const junk of ['', 'a\0', 5, null])
    await expect(openCsv(junk as string)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
});

test('what is doubted is taken where it is named', async () => {
  const { classes, train } = await openCsv(table('file,label\na.png,NaN\nb.png,nan\n'), { classes: ['nan', 'NaN'] });
  expect([classes, train.samples.map(({ label }) => label)]).toEqual([
    ['nan', 'NaN'],
    [1, 0],
  ]);
  expect((await openCsv(table('file,label\na.png,COVID\nb.png,NonCOVID\n'), { positive: 'COVID' })).classes).toEqual([
    'NonCOVID',
    'COVID',
  ]);
});

test.each([
  ['UTF-8 with its mark', Buffer.from(`\uFEFF${GOOD}`), []],
  [
    'UTF-16, little endian',
    Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(GOOD, 'utf16le')]),
    ['list.csv: read as UTF-16 (little endian), by its byte-order mark'],
  ],
  [
    'UTF-16, big endian',
    Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(GOOD, 'utf16le').swap16()]),
    ['list.csv: read as UTF-16 (big endian), by its byte-order mark'],
  ],
  ['line ends of Windows', GOOD.replaceAll('\n', '\r\n'), []],
  ['line ends of old Macs', GOOD.replaceAll('\n', '\r'), []],
  ['semicolons', GOOD.replaceAll(',', ';'), ['list.csv: columns are separated by semicolons']],
  ['tabs', GOOD.replaceAll(',', '\t'), ['list.csv: columns are separated by tabs']],
  [
    "pandas' row numbers",
    ',file,label\n0,a.png,x\n1,b.png,y\n',
    ['list.csv: the first column, which has no name and counts the rows, is ignored'],
  ],
  ['a delimiter at the end of each line', 'file,label,\na.png,x,\nb.png,y,\n', []],
] as const)('read: %s', async (_what, content, notes) => {
  const data = await openCsv(table(content));
  expect(data.train.samples.map(({ id, label, origin }) => [id, label, origin])).toEqual([
    ['a.png', 0, 'list.csv:2'],
    ['b.png', 1, 'list.csv:3'],
  ]);
  expect(data.notes).toEqual([
    ...notes,
    'guessed by the names of the columns: the paths of the images from "file", the labels from "label"',
  ]);
});

test('openDataset takes a table; columns, groups and splits as named or guessed, and said', async () => {
  const content =
    'Image Path,Diagnosis,Split,Patient ID\na.png,ill,training,p1\n' +
    'b.png,healthy,training,p2\nc.png,ill,holdout,p1\nd.png,healthy,Holdout,p3\n';
  const data = await openDataset(table(content, 'cohort.csv'));
  expect([data.train.samples[0], data.test!.samples.length]).toEqual([
    { id: 'a.png', source: path.join(root, 'a.png'), label: 1, origin: 'cohort.csv:2', group: 'p1' },
    2,
  ]);
  expect(describeDataset(data)).toBe(
    'cohort: classes healthy, ill (positive); train 2 (healthy ' +
      '1, ill 1), no validation split, test 2 (healthy 1, ill 1); ' +
      'guessed by the names of the columns: the paths of the images from "Image Path", the ' +
      'labels from "Diagnosis", the splits from "Split", the groups from "Patient ID"; ' +
      '"holdout" is taken for the test split; 1 of 3 groups have images in more than ' +
      'one split (p1): metrics of one split then include groups that were trained on',
  );
  const named = await openDataset(table('a,b\na.png,x\nb.png,y\n', 'odd.txt'), { pathColumn: 'a', labelColumn: 'b' });
  expect([named.train.samples.length, named.notes]).toEqual([2, []]);
  await expect(openDataset(table(GOOD), { split: 'x' })).rejects.toThrow(/split: not for a table/);
  await expect(openDataset(table(GOOD, 'list.dat'))).rejects.toMatchObject({ code: 'ERR_PACKED_DATA' });
  expect((await openDataset(table(GOOD, 'list.dat'), { pathColumn: 'file' })).train.samples).toHaveLength(2);
});

test('a guessed group that is missing somewhere is said and keeps images from being held out; a named one is an error', async () => {
  const content = 'file,label,patient\na.png,x,p1\nb.png,y,\n';
  const data = await openCsv(table(content));
  expect(data.train.samples.map(({ group }) => group)).toEqual(['p1', undefined]);
  expect(data.notes).toContain(
    '"patient" is empty in line 3: that image has no group, so that no images can be held out',
  );
  await expect(openDataset(table(content), { validationSplit: 0.5 })).rejects.toThrow(
    /some images have a group and others none, e\.g\. b\.png/,
  );
  expect(await failure(content, { groupColumn: 'patient' })).toContain('line 3, column "patient": the group is empty');
});

describe('seeded junk', () => {
  const draw = makeDraw({ seed: 20 });
  const pick = <T>(list: readonly T[]): T => list[Math.floor(draw() * list.length)]!;
  const PARTS = [
    ',',
    ';',
    '\t',
    '\n',
    '\r\n',
    '"',
    '""',
    'file',
    'label',
    'split',
    'patient',
    'a.png',
    'b.png',
    './a.png',
    '../',
    '/',
    'x',
    'X',
    'NaN',
    '',
    ' ',
    'train',
    'test',
    'val',
    'dev',
    'eval',
    '\0',
    '\uFEFF',
    'é',
    '__proto__',
    'constructor',
    '0',
    '0.0',
    '=1+1',
    '#',
    '\u2028',
    'a'.repeat(300),
  ];

  test('1500 tables of junk: opened, or a CovidCtError', async () => {
    let opened = 0;
    for (let round = 0; round < 1500; round += 1) {
      let bytes: Buffer;
      if (round % 3 === 0)
        bytes = Buffer.from(Array.from({ length: Math.floor(draw() * 60) }, () => pick(PARTS)).join(''));
      else {
        bytes = Buffer.from('file,label,split\na.png,x,train\nb.png,y,val\nc.png,x,test\n');
        for (let change = Math.floor(draw() * 4); change >= 0; change -= 1) {
          const at = Math.floor(draw() * bytes.length);
          const put = draw() < 0.3 ? Buffer.from([Math.floor(draw() * 256)]) : Buffer.from(pick(PARTS));
          bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + Math.floor(draw() * 3))]);
        }
      }
      const file = path.join(root, 'junk.csv');
      writeFileSync(file, bytes);
      const error: unknown = await openCsv(
        file,
        pick([{}, {}, { delimiter: ';' }, { splitColumn: 'split' }, { classes: ['x', 'y'] }, { groupColumn: 'split' }]),
      ).then(
        () => null,
        (caught: unknown) => caught,
      );
      if (error === null) opened += 1;
      else if (!(error instanceof CovidCtError))
        throw new Error(`round ${round}: ${JSON.stringify(bytes.toString('latin1'))}`, { cause: error });
    }
    expect(opened).toBeGreaterThan(20);
    expect(opened).toBeLessThan(1000);
  });

  test('text is decoded as it was, or its first bad byte is named', () => {
    for (let round = 0; round < 1000; round += 1) {
      const good = Array.from({ length: Math.floor(draw() * 20) }, () => pick(['a', 'é', '€', '𝄞', '\n', ','])).join(
        '',
      );
      expect(decodeText(Buffer.from(good), 'x').text).toBe(good);
      const lines = good.split('\n');
      const place = `line ${lines.length}, column ${[...lines.at(-1)!].length + 1}: the byte 0xC3`;
      expect(() =>
        decodeText(Buffer.concat([Buffer.from(good), Buffer.from([0xc3]), Buffer.from(' tail')]), 'x'),
      ).toThrow(place);
    }
  });
});
