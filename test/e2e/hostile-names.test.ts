/**
 * Names that hold control characters, in every place a name can come from, through every command: none is printed raw.
 */
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePhantoms, openCsv } from '../../src/index';
import { runCommand as run, tinyTraining } from '../helpers/command-line';
import { weightsIn } from '../helpers/kept';

/** Moves the cursor, colors, rings, forges a line, turns the writing direction; one name for all. */
const H = '\u001b[31m\u0007\u009b2J\u202e\u200b\u007f\rR\nFORGED line\u2028';

/** Our own control sequences on a terminal: the start of the line, erasing, moving, hiding the cursor; no colors. */
// eslint-disable-next-line no-control-regex
const OURS = /\r|\u001b\[(?:\d*[ABCDGJK]|\?25[lh]|\?7[lh]|0?m)/g;

function expectClean(text: string, tty = false): void {
  const rest = (tty ? text.replace(OURS, '') : text).replaceAll('\n', '');
  expect(JSON.stringify(rest.match(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}].{0,20}/u)?.[0] ?? '')).toBe('""');
  expect(text).not.toMatch(/^FORGED/m);
}

let dir: string;
let data: string;
let model: string;
let image: string;
let broken: string;
let weights: string;
let weightsOfModel: string;

/** A safetensors file of one tensor and a word of metadata with such names. */
function hostileWeights(): Buffer {
  const header = Buffer.from(
    JSON.stringify({
      __metadata__: { [`key${H}`]: `value${H}` },
      [`tensor${H}`]: { dtype: 'F32', shape: [1], data_offsets: [0, 4] },
    }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(4)]);
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'covidct-hostile-'));
  const phantoms = join(dir, 'phantoms');
  data = join(dir, `data${H}`);
  model = join(dir, `run${H}`);
  await makePhantoms(phantoms, { count: 24, size: 48 });
  for (const [split, range] of [
    ['train', [1, 4]],
    ['val', [5, 6]],
    ['test', [7, 8]],
  ] as const) {
    for (const [name, folder, stem] of [
      [`no${H}`, 'CT_NonCOVID', 'noncovid'],
      [`yes${H}`, 'CT_COVID', 'covid'],
    ] as const) {
      await mkdir(join(data, split, name), { recursive: true });
      for (let index: number = range[0]; index <= range[1]; index += 1)
        await cp(
          join(phantoms, 'Images-processed', folder, `phantom-${stem}-000${index}.png`),
          join(data, split, name, `${index}${H}.png`),
        );
      await writeFile(join(data, split, name, `broken${H}.png`), 'not an image');
    }
  }
  image = join(data, 'test', `yes${H}`, `7${H}.png`);
  broken = join(data, 'test', `yes${H}`, `broken${H}.png`);
  weights = join(dir, `weights${H}.safetensors`);
  await writeFile(weights, hostileWeights());
  const trained = await run([...tinyTraining(data, model), '--on-bad-file', 'skip', '--test']);
  expectClean(trained.stdout);
  expectClean(trained.stderr);
  expect({ code: trained.code, stderr: trained.stderr }).toEqual({ code: 0, stderr: trained.stderr });
  weightsOfModel = await weightsIn(model);
  expect(trained.stdout).toContain('run\\u001b[31m');
}, 120_000);

afterAll(() => rm(dir, { recursive: true, force: true }));

const again = (): string[] => [...tinyTraining(data, join(dir, `other${H}`)), '--on-bad-file', 'skip', '--overwrite'];

test.each<[string, number, () => string[]]>([
  ['train on a terminal', 0, again],
  ['train --json', 0, () => [...again(), '--json']],
  ['train on a file that is no image', 1, () => tinyTraining(data, join(dir, 'x'))],
  ['evaluate', 0, () => ['evaluate', '--model', model, '--data', data, '--on-bad-file', 'skip']],
  ['evaluate --json', 0, () => ['evaluate', '--model', model, '--data', data, '--on-bad-file', 'skip', '--json']],
  ['evaluate on a file that is no image', 1, () => ['evaluate', '--model', model, '--data', data]],
  ['predict', 0, () => ['predict', '--model', model, '--on-bad-file', 'skip', image, broken]],
  ['predict --json', 0, () => ['predict', '--model', model, '--on-bad-file', 'skip', '--json', image, broken]],
  ['predict on a file that is no image', 1, () => ['predict', '--model', model, broken]],
  ['explain', 0, () => ['explain', '--model', model, '--out', join(dir, `overlays${H}`), image]],
  ['explain --json', 0, () => ['explain', '--model', model, '--out', join(dir, `overlays${H}`), '--json', image]],
  [
    'explain of a class there is not',
    2,
    () => ['explain', '--model', model, '--out', dir, '--class', `ill${H}`, image],
  ],
  [
    'explain of a layer there is not',
    1,
    () => ['explain', '--model', model, '--out', dir, '--layer', `layer${H}`, image],
  ],
  ['report', 0, () => ['report', model]],
  ['report --json', 0, () => ['report', model, '--json']],
  ['runs', 0, () => ['runs', dir]],
  ['runs --json', 0, () => ['runs', dir, '--json']],
  ['runs compare', 0, () => ['runs', 'compare', model, model]],
  ['runs compare of no run', 1, () => ['runs', 'compare', model, join(dir, `none${H}`)]],
  ['runs prune', 0, () => ['runs', 'prune', dir, '--state', 'finished']],
  [
    'prepare',
    0,
    () => ['prepare', '--data', data, '--out', join(dir, `set${H}.pack`), '--on-bad-file', 'skip', '--overwrite'],
  ],
  [
    'prepare --json',
    0,
    () => [
      'prepare',
      '--data',
      data,
      '--out',
      join(dir, `set${H}.pack`),
      '--on-bad-file',
      'skip',
      '--overwrite',
      '--json',
    ],
  ],
  ['weights inspect', 0, () => ['weights', 'inspect', weights]],
  ['weights inspect --json', 0, () => ['weights', 'inspect', weights, '--json']],
  [
    'weights convert',
    0,
    () => ['weights', 'convert', weights, '--out', join(dir, `out${H}.safetensors`), '--overwrite'],
  ],
  ['weights fetch of an unknown name', 1, () => ['weights', 'fetch', `name${H}`]],
  [
    'import of weights that do not fit',
    1,
    () => [
      'import',
      '--arch',
      'tiny',
      '--weights',
      weights,
      '--classes',
      `a${H},b${H}`,
      '--out',
      join(dir, `import${H}`),
    ],
  ],
  [
    'import',
    0,
    () => [
      'import',
      '--arch',
      'tiny',
      '--weights',
      weightsOfModel,
      '--classes',
      `a${H},b${H}`,
      '--out',
      join(dir, `import${H}`),
      '--overwrite',
    ],
  ],
  [
    'import of an unknown architecture',
    2,
    () => ['import', '--arch', `net${H}`, '--weights', weights, '--classes', 'a,b', '--out', join(dir, 'y')],
  ],
  ['bench of an unknown architecture', 2, () => ['bench', '--arch', `net${H}`]],
  [
    'train of an unknown architecture',
    2,
    () => ['train', '--data', data, '--out', join(dir, 'z'), '--arch', `net${H}`],
  ],
  ['a command there is not', 2, () => [`verb${H}`]],
  ['a command there is not, with a suggestion', 2, () => ['trian']],
  ['a flag there is not', 2, () => ['train', `--flag${H}`]],
  ['a number that is none', 2, () => ['train', '--lr', `1${H}`]],
  ['a choice there is not', 2, () => ['predict', '--on-bad-file', `x${H}`, 'a.png']],
  ['one argument too many', 2, () => ['report', 'a', `b${H}`]],
  ...(['train', 'prepare', 'demo'] as const).map((verb): [string, number, () => string[]] => [
    `${verb}: no such data`,
    1,
    () => [verb, '--data', join(dir, `none${H}`), '--out', join(dir, 'none')],
  ]),
  ['evaluate: no such data', 1, () => ['evaluate', '--model', model, '--data', join(dir, `none${H}`)]],
  ...(['predict', 'explain'] as const).map((verb): [string, number, () => string[]] => [
    `${verb}: no such image`,
    2,
    () => [verb, '--model', model, ...(verb === 'explain' ? ['--out', dir] : []), join(dir, `none${H}.png`)],
  ]),
  ...(['evaluate', 'predict'] as const).map((verb): [string, number, () => string[]] => [
    `${verb}: no such model`,
    1,
    () => [verb, '--model', join(dir, `none${H}`), ...(verb === 'predict' ? [image] : ['--data', data])],
  ]),
  ['report: no such run', 1, () => ['report', join(dir, `none${H}`)]],
  ['weights inspect: no such file', 1, () => ['weights', 'inspect', join(dir, `none${H}`)]],
  ['--config: no such file', 2, () => ['train', '--config', join(dir, `none${H}`)]],
])(
  '%s',
  async (name, code, args) => {
    const tty = name.includes('terminal');
    const result = await run(args(), { tty });
    expect({ code: result.code, stderr: result.stderr }).toEqual({ code, stderr: result.stderr });
    expect(result.stdout + result.stderr).not.toBe('');
    expectClean(result.stdout, tty);
    expectClean(result.stderr, tty);
    if (args().includes('--json')) for (const line of result.stdout.trimEnd().split('\n')) JSON.parse(line);
  },
  60_000,
);

test('stacks, as COVIDCT_DEBUG shows them, hold no raw name either', async () => {
  const { stderr } = await run(['report', join(dir, `none${H}`)], { env: { COVIDCT_DEBUG: '1' } });
  expect(stderr).toMatch(/\n +at /);
  expectClean(stderr);
});

test.each([
  ['a key there is not', JSON.stringify({ [`key${H}`]: 1 })],
  ['a value that is none', JSON.stringify({ architecture: `net${H}`, bestBy: `x${H}` })],
  ['something else than JSON', `{${H}`],
])('a configuration file with %s', async (_, text) => {
  const file = join(dir, `config${H}.json`);
  await writeFile(file, text);
  const { code, stderr } = await run(['train', '--config', file, '--data', data, '--out', join(dir, 'c')]);
  expect(code).toBe(2);
  expectClean(stderr);
});

test('a model card, a packed data set and a table with such names', async () => {
  const card = join(dir, 'card');
  await mkdir(card);
  await writeFile(join(card, 'model.json'), `{"format": "x${H.replace('\n', '\\n')}`);
  for (const args of [
    ['predict', '--model', card, image],
    ['evaluate', '--model', model, '--data', join(dir, `set${H}.pack`), '--split', 'test'],
  ]) {
    const { stdout, stderr } = await run(args);
    expectClean(stdout);
    expectClean(stderr);
  }
  await rename(card, join(dir, `card${H}`));
  expectClean((await run(['predict', '--model', join(dir, `card${H}`), image])).stderr);
  const table = join(dir, `table${H}.csv`);
  await writeFile(table, `path,label,split\n"none${H}.png","label${H}","part${H}"\n`);
  await expect(openCsv(table, { pathColumn: 'path', labelColumn: 'label', splitColumn: 'split' })).rejects.toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('\u001b') }) as Error,
  );
});

test('LibTorch in a folder of such a name: doctor', async () => {
  const before = process.env['COVIDCT_TORCH_LIBTORCH'];
  process.env['COVIDCT_TORCH_LIBTORCH'] = join(dir, `libtorch${H}`);
  try {
    for (const flags of [[], ['--json']]) {
      const { stdout, stderr } = await run(['doctor', ...flags]);
      expect(stdout).toContain('FORGED');
      expectClean(stdout);
      expectClean(stderr);
    }
  } finally {
    if (before === undefined) delete process.env['COVIDCT_TORCH_LIBTORCH'];
    else process.env['COVIDCT_TORCH_LIBTORCH'] = before;
  }
});
