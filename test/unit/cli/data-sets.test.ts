/** What a command says of the data it opens, and what it refuses to guess. No native code runs. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gatherTrainOptions } from '../../../src/cli/config';
import { partOptions } from '../../../src/cli/data-flags';
import { runCommand } from '../../helpers/command-line';
import { grayPng } from '../../helpers/images';

const run = (...args: string[]) => runCommand(args);

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-data-flags-'));
  const png = await grayPng(3);
  const put = async (name: string, content: string | Buffer = png): Promise<void> => {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  };
  for (let slice = 0; slice < 6; slice += 1) {
    await put(`flat/COVID/a${slice}`);
    await put(`flat/NonCOVID/b${slice}.png`);
  }
  await put('flat/COVID/notes.txt', 'x');
  await put('flat/\u001b[31mred.txt', 'x');
  await symlink('gone.png', join(dir, 'flat/COVID/dead.png'));
  const rows = Array.from({ length: 6 }, (_, slice) => [
    `flat/COVID/a${slice},COVID,p${slice % 3}`,
    `flat/NonCOVID/b${slice}.png,NonCOVID,q${slice % 3}`,
  ]);
  await put('list.csv', ['file,finding,patient', ...rows.flat(), ''].join('\n'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const pack = (...args: string[]) => run('prepare', '--out', join(dir, 'x.pack'), '--overwrite', ...args);

test('one line of classes, counts and the positive class; one of what was left out, by reason, escaped', async () => {
  const { code, stderr } = await pack(
    '--data',
    join(dir, 'flat'),
    '--positive',
    'COVID',
    '--val-split',
    '0.34',
    '--split-seed',
    '3',
  );
  expect(code).toBe(0);
  expect(stderr.split('\n')).toEqual([
    'flat: classes NonCOVID, COVID (positive); train 8 (NonCOVID 4, COVID 4), validation 4 ' +
      '(NonCOVID 2, COVID 2), no test split; held out of the training images: 0.34 for ' +
      'validation, by class, each image by itself, for no groups (patients) are known, seed 3',
    'flat: left out: 2 no images by their names or first bytes (\\u001b[31mred.txt, ' +
      'COVID/notes.txt); 1 link that leads nowhere (COVID/dead.png)',
    '',
  ]);
  const quiet = await pack('--data', join(dir, 'flat'), '--positive', 'COVID', '--quiet');
  expect(quiet.stderr).toMatch(/^flat: left out: [^\n]*\n$/);
  const again = await run('prepare', '--data', join(dir, 'x.pack'), '--out', join(dir, 'y.pack'));
  expect(again.stderr).toContain('flat: left out: 2 no images by their names');
});

test('the order of two classes is not guessed', async () => {
  expect(await pack('--data', join(dir, 'flat'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('which class is positive?'),
  });
  expect((await pack('--data', join(dir, 'flat'), '--classes', 'COVID,NonCOVID')).stderr).toContain(
    'classes COVID, NonCOVID (positive)',
  );
  expect(await pack('--data', join(dir, 'flat'), '--positive', 'ill')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('"ill" is not one of the classes'),
  });
});

test('a table: columns by flag or by name, whole groups held out', async () => {
  expect(await pack('--data', join(dir, 'list.csv'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--label-column'),
  });
  const { code, stderr } = await pack(
    '--data',
    join(dir, 'list.csv'),
    '--label-column',
    'finding',
    '--positive',
    'COVID',
    '--val-split',
    '0.3',
    '--test-split',
    '0.3',
  );
  expect(code).toBe(0);
  expect(stderr).toContain(
    'train 4 (NonCOVID 2, COVID 2), validation 4 (NonCOVID 2, COVID 2), test 4 (NonCOVID 2, COVID 2)',
  );
  expect(stderr).toContain(
    'guessed by the names of the columns: the paths of the images from "file", the groups from "patient"',
  );
  expect(stderr).toContain('whole groups, seed 0');
});

test.each([
  [['--data', 'flat', '--path-column', 'x'], /--path-column: not for a folder of classes/],
  [['--data', 'list.csv', '--group-pattern', '(a)'], /--group-pattern: not for a table/],
  [['--data', 'flat', '--group-pattern', '('], /expected a regular expression/],
  [['--data', 'flat', '--val-split', '1.5'], /--val-split: .*got 1\.5/],
  [
    ['--data', 'flat', '--positive', 'COVID', '--val-split', '0.6', '--test-split', '0.6'],
    /must leave images for training/,
  ],
  [['--data', 'list.csv', '--delimiter', 'comma'], /one character, or tab/],
])('wrong usage: %j', async ([flag, data, ...more], message) =>
  expect(await pack(flag!, join(dir, data!), ...more)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(message),
  }),
);

test('a configuration file says the same, and the rest goes to the training', async () => {
  const file = join(dir, 'recipe.json');
  await writeFile(
    file,
    JSON.stringify({ data: 'd', out: 'o', positive: 'COVID', validationSplit: 0.2, groupPattern: '(p\\d)', epochs: 3 }),
  );
  const { data, rest } = partOptions((await gatherTrainOptions(file, {})).options);
  expect(data).toEqual({ positive: 'COVID', validationSplit: 0.2, groupPattern: /(p\d)/u });
  expect(rest).toMatchObject({ data: 'd', epochs: 3 });
  expect(rest).not.toHaveProperty('positive');
  await writeFile(file, JSON.stringify({ data: 'd', out: 'o', groupPattern: '(' }));
  await expect(gatherTrainOptions(file, {})).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringContaining('groupPattern'),
  });
});
