/** The COVID-CT reader: layouts, lists as they come, every fault at once, zip files that mean harm. */
import { existsSync, promises, readdirSync } from 'node:fs';
import path from 'node:path';
import { unpackZip } from '../../../src/data/archive';
import { CovidCtDataset, parseList } from '../../../src/data/covid-ct';
import { decodeImage } from '../../../src/data/images/decode';
import { openDataset } from '../../../src/data/open';
import { CovidCtError, DatasetError } from '../../../src/errors';
import { makeZip, NAMES, newFolder, removeFolders, writeAt, writeCovidCt } from './helpers';
import type { ZipEntry } from './helpers';

const REAL = path.resolve(__dirname, '../../../../shared/covid-ct');
const ADDITION = Buffer.from('some bytes');

afterEach(() => {
  jest.restoreAllMocks();
  removeFolders();
});

async function failure(work: Promise<unknown>): Promise<CovidCtError> {
  return work.then(
    () => Promise.reject(new Error('it should have failed')),
    (error: unknown) => {
      expect(error).toBeInstanceOf(CovidCtError);
      return error as CovidCtError;
    },
  );
}

describe('reading the layout', () => {
  test('splits, labels, ids, origins and counts', async () => {
    const root = newFolder();
    await writeCovidCt(root);
    const dataset = await CovidCtDataset.open(root);
    expect(dataset.classes).toEqual(['NonCOVID', 'COVID']);
    expect(dataset.counts()).toEqual({
      train: { NonCOVID: 2, COVID: 2 },
      validation: { NonCOVID: 1, COVID: 1 },
      test: { NonCOVID: 1, COVID: 1 },
    });
    expect(dataset.train.samples.map(({ id, label, origin }) => [id, label, origin])).toEqual([
      ['Images-processed/CT_NonCOVID/71%0.jpg', 0, 'Data-split/NonCOVID/trainCT_NonCOVID.txt:1'],
      ['Images-processed/CT_NonCOVID/1.jpg', 0, 'Data-split/NonCOVID/trainCT_NonCOVID.txt:2'],
      ['Images-processed/CT_COVID/2020.02.10-p6-52%0.png', 1, 'Data-split/COVID/trainCT_COVID.txt:1'],
      ['Images-processed/CT_COVID/a paper, with [brackets] (1).png', 1, 'Data-split/COVID/trainCT_COVID.txt:2'],
    ]);
    for (const { samples } of [dataset.train, dataset.validation, dataset.test])
      for (const { source } of samples) expect((await decodeImage(source)).width).toBe(8);
    expect(dataset.split('val')).toBe(dataset.validation);
    expect(dataset.split('validation')).toBe(dataset.validation);
    expect(dataset.unlisted).toEqual([]);
    expect(() => dataset.split('holdout' as 'val')).toThrow(DatasetError);
  });

  test('CRLF, a byte order mark, blank lines and stray spaces', async () => {
    expect(parseList('\uFEFFa.png\r\n\r\n b c.png\r\n\r\n', 'list.txt')).toEqual([
      { name: 'a.png', origin: 'list.txt:1' },
      { name: ' b c.png', origin: 'list.txt:3' },
    ]);
    const root = newFolder();
    await writeCovidCt(root, { lists: { trainCOVID: `\uFEFF${NAMES.COVID.train.join(' \r\n')}\r\n\r\n\r\n` } });
    expect((await CovidCtDataset.open(root)).train.samples).toHaveLength(4);
  });

  test('a name whose accent the file system writes in two characters', async () => {
    const root = newFolder();
    await writeCovidCt(root, {
      images: {
        COVID: Object.values(NAMES.COVID)
          .flat()
          .map((name) => name.normalize('NFD')),
      },
    });
    const [, sample] = (await CovidCtDataset.open(root)).test.samples;
    expect((await decodeImage(sample!.source)).height).toBe(6);
  });

  test('own lists in another folder, and images that no list names', async () => {
    const root = newFolder();
    await writeCovidCt(root);
    for (const name of ['COVID', 'NonCOVID'] as const) {
      for (const split of ['train', 'val', 'test'] as const)
        writeAt(root, `mine/${name}/${split}CT_${name}.txt`, `${NAMES[name][split][0]}\n`);
    }
    const dataset = await openDataset(root, { split: 'mine' });
    expect(dataset.train.samples).toHaveLength(2);
    expect((dataset as CovidCtDataset).unlisted).toEqual([
      'Images-processed/CT_NonCOVID/1.jpg',
      'Images-processed/CT_COVID/a paper, with [brackets] (1).png',
    ]);
  });

  (existsSync(REAL) ? test : test.skip)('the real data set: 425, 118, 203', async () => {
    const dataset = await CovidCtDataset.open(REAL);
    expect(dataset.counts()).toEqual({
      train: { NonCOVID: 234, COVID: 191 },
      validation: { NonCOVID: 58, COVID: 60 },
      test: { NonCOVID: 105, COVID: 98 },
    });
    expect([dataset.train, dataset.validation, dataset.test].map(({ samples }) => samples.length)).toEqual([
      425, 118, 203,
    ]);
  });
});

describe('faults of the lists', () => {
  test('every missing, repeated and doubly assigned name in one error, with list and line', async () => {
    const root = newFolder();
    await writeCovidCt(root, {
      lists: {
        trainCOVID: 'gone.png\n2020.02.10-p6-52%0.png\n2020.02.10-p6-52%0.png\n../../x.png\n',
        testNonCOVID: '3 4.jpg\n1.jpg\nlost.jpg',
      },
    });
    const error = await failure(CovidCtDataset.open(root));
    expect(error).toBeInstanceOf(DatasetError);
    expect(error.message).toContain('5 problems');
    expect(error.message).toContain(
      'Data-split/COVID/trainCT_COVID.txt:1: "gone.png" is not in Images-processed/CT_COVID',
    );
    expect(error.message).toContain(
      'trainCT_COVID.txt:3: "2020.02.10-p6-52%0.png" is listed already in Data-split/COVID/trainCT_COVID.txt:2',
    );
    expect(error.message).toContain('trainCT_COVID.txt:4: "../../x.png" is not in');
    expect(error.message).toContain(
      'testCT_NonCOVID.txt:2: "1.jpg" is listed already in Data-split/NonCOVID/trainCT_NonCOVID.txt:2',
    );
    expect(error.message).toContain('testCT_NonCOVID.txt:3: "lost.jpg"');
  });

  test('a missing list, an empty split, a missing image folder, no folder at all', async () => {
    const root = newFolder();
    await writeCovidCt(root, { lists: { valCOVID: null } });
    expect((await failure(CovidCtDataset.open(root))).message).toContain(
      'Data-split/COVID/valCT_COVID.txt cannot be read: it does not exist',
    );
    const empty = newFolder();
    await writeCovidCt(empty, { lists: { valCOVID: '\r\n', valNonCOVID: '' } });
    expect((await failure(CovidCtDataset.open(empty))).message).toContain('COVID-CT validation has no images');
    const bare = newFolder();
    writeAt(bare, 'Data-split/x', '');
    expect((await failure(CovidCtDataset.open(bare))).message).toContain(
      'neither the folder Images-processed/CT_NonCOVID nor',
    );
    expect((await failure(CovidCtDataset.open(path.join(bare, 'nowhere')))).message).toContain('does not exist');
  });

  test('options are checked and a fired signal is heard', async () => {
    const root = newFolder();
    await writeCovidCt(root);
    expect(await failure(CovidCtDataset.open(root, { spilt: 'x' } as object))).toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
    expect(await failure(CovidCtDataset.open(root, { signal: AbortSignal.abort() }))).toMatchObject({
      code: 'ERR_ABORTED',
      name: 'AbortError',
    });
  });
});

describe('zip files', () => {
  test('are unpacked beside themselves, once, with progress', async () => {
    const root = newFolder();
    await writeCovidCt(root, { zipped: ['COVID', 'NonCOVID'] });
    const told: string[] = [];
    const dataset = await CovidCtDataset.open(root, {
      onProgress: ({ archive, entries, totalEntries }) => told.push(`${archive} ${entries}/${totalEntries}`),
    });
    expect(dataset.counts().train).toEqual({ NonCOVID: 2, COVID: 2 });
    expect(told.at(-1)).toBe('CT_COVID.zip 6/6');
    expect(readdirSync(path.join(root, 'Images-processed')).sort()).toEqual([
      'CT_COVID',
      'CT_COVID.zip',
      'CT_NonCOVID',
      'CT_NonCOVID.zip',
    ]);
    told.length = 0;
    await CovidCtDataset.open(root, { onProgress: () => told.push('again') });
    expect(told).toEqual([]);
  });

  test('two who unpack at the same time both succeed and leave nothing behind', async () => {
    const root = newFolder();
    await writeCovidCt(root, { zipped: ['COVID'] });
    const both = await Promise.all([CovidCtDataset.open(root), CovidCtDataset.open(root)]);
    expect(both.map(({ train }) => train.samples.length)).toEqual([4, 4]);
    expect(readdirSync(path.join(root, 'Images-processed')).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('go to the cache folder where the data set is read-only', async () => {
    const root = newFolder();
    const cache = newFolder();
    await writeCovidCt(root, { zipped: ['COVID'] });
    const { XDG_CACHE_HOME: before } = process.env;
    process.env.XDG_CACHE_HOME = cache;
    const original = promises.mkdir;
    jest.spyOn(promises, 'mkdir').mockImplementation((folder, options) => {
      if (String(folder).startsWith(root))
        return Promise.reject(Object.assign(new Error('read-only'), { code: 'EROFS', syscall: 'mkdir' }));
      return original(folder, options as { recursive: true });
    });
    try {
      const dataset = await CovidCtDataset.open(root);
      const sample = dataset.train.samples.at(-1)!;
      expect(sample.id).toBe('Images-processed/CT_COVID/a paper, with [brackets] (1).png');
      expect((sample.source as string).startsWith(path.join(cache, 'covidct-torch', 'covid-ct'))).toBe(true);
      expect((await decodeImage(sample.source)).width).toBe(8);
      expect(readdirSync(path.join(root, 'Images-processed')).sort()).toEqual(['CT_COVID.zip', 'CT_NonCOVID']);
      expect((await CovidCtDataset.open(root)).train.samples.at(-1)!.source).toBe(sample.source);
    } finally {
      if (before === undefined) delete process.env.XDG_CACHE_HOME;
      else process.env.XDG_CACHE_HOME = before;
    }
  });

  const bad: [string, ZipEntry[], string][] = [
    [
      'a path that climbs out',
      [
        { name: 'a.png', content: ADDITION },
        { name: '../../evil.png', content: ADDITION },
      ],
      'invalid relative path',
    ],
    ['an absolute path', [{ name: '/tmp/evil.png', content: ADDITION }], 'absolute path'],
    ['a backslash path that climbs out', [{ name: '..\\evil.png', content: ADDITION }], 'invalid relative path'],
    [
      'a symbolic link',
      [{ name: 'a.png', content: Buffer.from('/etc/passwd'), mode: 0o120777 }],
      'symbolic link or a device',
    ],
    ['an encrypted entry', [{ name: 'a.png', content: ADDITION, flags: 1 }], 'encrypted'],
    ['a wrong checksum', [{ name: 'a.png', content: ADDITION, claimedCrc: 1 }], 'checksum does not match'],
    [
      'a size that lies',
      [{ name: 'a.png', content: Buffer.alloc(5000), claimedSize: 10 }],
      'unpacks to more than the 10 bytes it declares',
    ],
    ['an entry over the limit', [{ name: 'a.png', content: Buffer.alloc(1001) }], 'more than 1000'],
    [
      'too many bytes in all',
      [1, 2, 3].map((n) => ({ name: `${n}.png`, content: Buffer.alloc(900) })),
      'more than 2000 bytes',
    ],
    ['too many entries', [1, 2, 3, 4, 5].map((n) => ({ name: `${n}.png` })), 'more than 4'],
    [
      'a file that is there twice',
      [
        { name: 'a.png', content: ADDITION },
        { name: 'CT_X/a.png', content: ADDITION },
      ],
      'EEXIST',
    ],
    ['a name with a NUL', [{ name: 'a\0.png', content: ADDITION }], 'an entry named "a\\u0000.png"'],
    [
      'a name with a line break',
      [{ name: 'a\n.png', content: ADDITION }],
      'the entry "a\\n.png" has a control character in its name',
    ],
    ['a name longer than any file', [{ name: `${'a'.repeat(300)}.png`, content: ADDITION }], 'ENAMETOOLONG'],
    [
      'a file that is a folder too',
      [
        { name: 'a', content: ADDITION },
        { name: 'a/b.png', content: ADDITION },
      ],
      'a',
    ],
  ];
  test.each(bad)('%s is refused and nothing stays', async (_what, entries, message) => {
    const root = newFolder();
    const zip = writeAt(root, 'inside/CT_X.zip', makeZip(entries));
    const limits = { maxEntries: 4, maxEntryBytes: _what === 'a size that lies' ? 9000 : 1000, maxTotalBytes: 2000 };
    const error = await unpackZip(zip, path.join(root, 'inside', 'CT_X'), { limits }).then(
      () => null,
      (caught: Error) => caught,
    );
    expect(error?.message).toContain(message);
    expect(error).toMatchObject({ code: 'ERR_DATASET' });
    expect(readdirSync(path.join(root, 'inside'))).toEqual(['CT_X.zip']);
    expect(readdirSync(root)).toEqual(['inside']);
  });

  test('rubbish and a truncated archive are refused by name', async () => {
    const root = newFolder();
    await writeCovidCt(root, { zipped: ['COVID'] });
    const whole = makeZip([{ name: 'a.png', content: ADDITION }]);
    for (const content of [Buffer.from('not a zip'), Buffer.alloc(0), whole.subarray(0, whole.length - 30)]) {
      writeAt(root, 'Images-processed/CT_COVID.zip', content);
      expect(await failure(CovidCtDataset.open(root))).toMatchObject({ code: 'ERR_DATASET' });
    }
    expect(readdirSync(path.join(root, 'Images-processed')).sort()).toEqual(['CT_COVID.zip', 'CT_NonCOVID']);
  });

  test('an abort in the middle leaves nothing behind', async () => {
    const root = newFolder();
    await writeCovidCt(root, { zipped: ['COVID'] });
    const controller = new AbortController();
    const error = await failure(
      CovidCtDataset.open(root, { signal: controller.signal, onProgress: () => controller.abort() }),
    );
    expect(error.name).toBe('AbortError');
    expect(readdirSync(path.join(root, 'Images-processed')).sort()).toEqual(['CT_COVID.zip', 'CT_NonCOVID']);
  });
});
