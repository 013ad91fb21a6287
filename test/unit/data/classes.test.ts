/**
 * Classes and splits are never guessed in silence: names of splits, folders that are none, and which class is positive.
 */
import { isMissingLabel, isNegativeName, orderClasses } from '../../../src/data/classes';
import { describeDataset } from '../../../src/data/describe';
import { openFolder } from '../../../src/data/folder';
import { openDataset } from '../../../src/data/open';
import { roleOf, understandSplitNames } from '../../../src/data/split-names';
import { DatasetError } from '../../../src/errors';
import { grayPng } from '../../helpers/images';
import { newFolder, removeFolders, writeAt, writeCovidCt } from './helpers';

afterEach(removeFolders);

async function tree(...names: string[]): Promise<string> {
  const root = newFolder();
  for (const name of names) writeAt(root, name, /\.(txt|db)$/.test(name) ? 'x' : await grayPng(3));
  return root;
}

test.each([
  ['train', 'train'],
  ['Training', 'train'],
  ['training_set', 'train'],
  ['train_data', 'train'],
  ['TrainSet', 'train'],
  ['data-train', 'train'],
  ['train images', 'train'],
  ['val', 'validation'],
  ['valid', 'validation'],
  ['validation_data', 'validation'],
  ['dev', 'validation'],
  ['valset', 'validation'],
  ['test', 'test'],
  ['test_set', 'test'],
  ['testing', 'test'],
  ['holdout', 'test'],
  ['hold-out', 'test'],
  ['held_out', 'test'],
  ['Hold Out Set', 'test'],
  ['eval', 'eval'],
  ['evaluation', 'eval'],
  ['trainval', 'unclear'],
  ['train_test', 'unclear'],
  ['train2', 'unclear'],
  ['test_01', 'unclear'],
  ['COVID', undefined],
  ['test_positive', undefined],
  ['images', undefined],
  ['data', undefined],
  ['trained', undefined],
  ['contest', undefined],
  ['devices', undefined],
  ['2', undefined],
  ['', undefined],
  ['été', undefined],
] as const)('the name %j means the split %j', (name, role) => expect(roleOf(name)).toBe(role));

test.each([
  [['train', 'val', 'dev'], ['"val" and "dev" both mean the validation split']],
  [['train', 'val', 'test', 'eval'], ['"eval" beside a validation and a test split: it is unclear what it is for']],
  [['train', 'trainval'], ['"trainval" speaks of a split but does not say which one']],
  [['train', 'val', 'valid', 'validation'], ['"val" and "valid" and "validation" all mean the validation split']],
] as const)('%j is unclear', (names, problems) => expect(understandSplitNames(names).problems).toEqual(problems));

test('eval is what is missing beside the others, and uncommon names are told', () => {
  expect(understandSplitNames(['train', 'eval', 'test']).splits.get('eval')).toBe('validation');
  expect(understandSplitNames(['train', 'dev', 'eval']).splits.get('eval')).toBe('test');
  expect(understandSplitNames(['train', 'eval']).notes).toEqual(['"eval" is taken for the validation split']);
  expect(understandSplitNames(['Train', 'val', 'test']).notes).toEqual([]);
});

test('training_set and test_set are splits, and the line says so', async () => {
  const data = await openFolder(
    await tree('training_set/healthy/1.png', 'training_set/ill/1.png', 'test_set/ill/2.png', 'dev/healthy/3.png'),
  );
  expect(data.classes).toEqual(['healthy', 'ill']);
  expect(describeDataset(data)).toMatch(
    /: classes healthy, ill \(positive\); train 2 \(healthy 1, ill 1\), validation 1 \(healthy 1, ill 0\), test 1 \(healthy 0, ill 1\); validation has no image of ill; test has no image of healthy; "dev" is taken for the validation split; "test_set" is taken for the test split; "training_set" is taken for the train split$/,
  );
});

describe('folders that are no classes', () => {
  test.each([
    '@eaDir',
    '__MACOSX',
    'lost+found',
    'node_modules',
    '$RECYCLE.BIN',
    'System Volume Information',
    '#recycle',
    '__pycache__',
  ])('%s is refused, with the flag that allows it or leaves it out', async (name) => {
    const root = await tree('a/1.png', 'b/1.png', `${name}/1.png`);
    await expect(openFolder(root)).rejects.toThrow(
      `the folder "${name}" belongs to the operating system or a tool and is probably ` +
        'not a class: name the classes without it to leave it out (--classes a,b)',
    );
    const without = await openFolder(root, { classes: ['a', 'b'] });
    expect([without.classes, without.leftOut]).toEqual([
      ['a', 'b'],
      [{ reason: 'system', count: 1, examples: [`${name}/`] }],
    ]);
    expect((await openFolder(root, { classes: ['a', 'b', name] })).train.samples).toHaveLength(3);
  });

  test('inside the folder of a split as well; hidden ones are left out and counted', async () => {
    await expect(openFolder(await tree('train/a/1.png', 'train/b/1.png', 'train/@eaDir/1.png'))).rejects.toThrow(
      /"train\/@eaDir"/,
    );
    const { leftOut } = await openFolder(
      await tree('a/1.png', 'b/1.png', '.git/x', '.ipynb_checkpoints/1.png', 'a/@eaDir/thumb.png', 'a/Thumbs.db'),
    );
    expect(leftOut).toEqual([
      { reason: 'hidden', count: 2, examples: ['.git/', '.ipynb_checkpoints/'] },
      { reason: 'system', count: 2, examples: ['a/@eaDir/', 'a/Thumbs.db'] },
    ]);
  });

  test('images outside every class, and folders beside the splits, are counted', async () => {
    const flat = await openFolder(await tree('a/1.png', 'b/1.png', 'lost.png', 'lost-too'));
    expect(flat.leftOut).toEqual([{ reason: 'outsideClasses', count: 2, examples: ['lost-too', 'lost.png'] }]);
    const split = await openFolder(
      await tree(
        'train/a/1.png',
        'train/b/1.png',
        'train/lost.png',
        'test/a/2.png',
        'test/lost.png',
        'extra/a/3.png',
        'extra/b/4.png',
        'readme.txt',
      ),
    );
    expect(split.leftOut).toEqual([
      { reason: 'notAnImage', count: 1, examples: ['readme.txt'] },
      { reason: 'outsideClasses', count: 2, examples: ['train/lost.png', 'test/lost.png'] },
      { reason: 'outsideSplits', count: 2, examples: ['extra/a/3.png', 'extra/b/4.png'] },
    ]);
    expect(split.test!.leftOut).toEqual([{ reason: 'outsideClasses', count: 1, examples: ['test/lost.png'] }]);
  });

  test('one folder that holds nothing but folders is the data set itself, one level too high', async () => {
    await expect(openFolder(await tree('archive/a/1.png', 'archive/b/1.png'))).rejects.toThrow(
      /"archive" is the only class and holds nothing but folders \(a, b\).*open archive instead/,
    );
    expect((await openFolder(await tree('one/patient1/1.png', 'one/patient2/1.png', 'one/3.png'))).classes).toEqual([
      'one',
    ]);
  });

  test('classes may have the names of splits where they are named', async () => {
    const root = await tree('test/1.png', 'control/1.png');
    await expect(openFolder(root)).rejects.toThrow(/but none for train/);
    expect((await openFolder(root, { classes: ['control', 'test'] })).classes).toEqual(['control', 'test']);
  });
});

describe('which class is positive', () => {
  test.each([
    ['NonCOVID', 'COVID', true],
    ['noncovid', 'covid', true],
    ['no_finding', 'finding', true],
    ['Not-Ill', 'ill', true],
    ['normal', 'COVID', true],
    ['healthy', 'ill', true],
    ['control', 'case', true],
    ['CT_NonCOVID', 'CT_COVID', true],
    ['negative', 'positive', true],
    ['NEG', 'POS', true],
    ['uninfected', 'infected', true],
    ['without findings', 'with findings', true],
    ['COVID', 'NonCOVID', false],
    ['abnormal', 'normal', false],
    ['not_normal', 'normal', false],
    ['non-healthy', 'healthy', false],
    ['other', 'COVID', false],
    ['nodule', 'cyst', false],
    ['Norway', 'Nepal', false],
    ['0', '1', false],
  ] as const)('%j beside %j says that it is the negative one: %j', (name, other, negative) =>
    expect(isNegativeName(name, other)).toBe(negative),
  );

  test('an order that the names contradict is refused; --positive and --classes settle it', async () => {
    const root = await tree('COVID/1.png', 'NonCOVID/2.png');
    const error: unknown = await openFolder(root).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DatasetError);
    expect((error as Error).message).toContain(
      'which class is positive? By the alphabet "NonCOVID" would be, whose name ' +
        `says that it is the negative one: give positive: 'COVID' (--positive ` +
        `COVID), or classes: ['NonCOVID', 'COVID'] (--classes NonCOVID,COVID)`,
    );
    expect((await openFolder(root, { positive: 'COVID' })).classes).toEqual(['NonCOVID', 'COVID']);
    expect((await openFolder(root, { positive: 'NonCOVID' })).classes).toEqual(['COVID', 'NonCOVID']);
    expect((await openFolder(root, { classes: ['COVID', 'NonCOVID'] })).classes).toEqual(['COVID', 'NonCOVID']);
    await expect(openFolder(root, { positive: 'Covid' })).rejects.toThrow(
      '"Covid" is not one of the classes COVID, NonCOVID',
    );
    await expect(openFolder(root, { classes: ['COVID', 'NonCOVID'], positive: 'COVID' })).rejects.toThrow(
      /classes names "NonCOVID" last/,
    );
  });

  test('three classes have no positive one, and an order of their own is never doubted', () => {
    expect(orderClasses(['b', 'normal', 'a'], {})).toEqual({ classes: ['a', 'b', 'normal'], problems: [] });
    expect(orderClasses(['b', 'c', 'a'], { positive: 'a' }).problems[0]).toContain('of 3 classes none is positive');
  });

  test('COVID-CT knows its own', async () => {
    const root = newFolder();
    await writeCovidCt(root);
    expect((await openDataset(root, { positive: 'COVID' })).classes).toEqual(['NonCOVID', 'COVID']);
    await expect(openDataset(root, { positive: 'NonCOVID' })).rejects.toThrow(
      /COVID-CT has NonCOVID, COVID, of which COVID is positive/,
    );
    await expect(openDataset(root, { pathColumn: 'x' })).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining('pathColumn: not for the COVID-CT layout'),
    });
    writeAt(root, 'Images-processed/CT_COVID/unlisted', await grayPng(1));
    writeAt(root, 'Images-processed/CT_COVID/.DS_Store', 'x');
    expect((await openDataset(root)).leftOut).toEqual([
      { reason: 'system', count: 1, examples: ['Images-processed/CT_COVID/.DS_Store'] },
      { reason: 'unlisted', count: 1, examples: ['Images-processed/CT_COVID/unlisted'] },
    ]);
  });
});

test('names that read alike, and names for what is missing', async () => {
  for (const label of ['NaN', 'nan', 'N/A', 'null', 'None', '', ' ', '#N/A', '?', '-', 'undefined', '<NA>'])
    expect(isMissingLabel(label)).toBe(true);
  for (const label of ['no', 'Nan Madol', '0', 'none of these', 'nano']) expect(isMissingLabel(label)).toBe(false);
  await expect(openFolder(await tree('covid/1.png', 'COVID/2.png'))).rejects.toThrow(
    /"COVID" and "covid" differ only by case/,
  );
  await expect(openFolder(await tree('a/1.png', 'nan/2.png'))).rejects.toThrow(/"nan" reads like a missing label/);
  expect((await openFolder(await tree('a/1.png', 'nan/2.png'), { classes: ['a', 'nan'] })).classes).toEqual([
    'a',
    'nan',
  ]);
  expect(orderClasses(['1', '1.0', '2'], {}).problems[0]).toMatch(/"1" and "1.0" differ only/);
});
