/** Messages of the command line speak of its flags, not of the library's options. */
import { flagsByOption, inFlags } from '../../../../src/cli/format/flags';
import type { Io } from '../../../../src/cli/io';
import { build, OPTIONS_OF_FLAGS } from '../../../../src/cli/program';
import { InvalidOptionError, linesOf } from '../../../../src/errors';
import { trainCommandSchema } from '../../../../src/cli/options';

const program = build({ env: {} } as unknown as Io, () => Promise.resolve());
const commands = program.commands
  .flatMap((each) => [each, ...each.commands])
  .filter(({ options }) => options.length > 0);
const tableOf = (name: string): ReadonlyMap<string, string> =>
  flagsByOption(
    commands.find((each) => each.name() === name)!,
    OPTIONS_OF_FLAGS,
  );

/** Flags that say what the command does beside calling the library. */
const ONLY_HERE = ['json', 'quiet', 'config', 'test', 'resume', 'accept'];

test('every flag of train is found among the options that its schema has', () => {
  const table = tableOf('train');
  const train = commands.find((each) => each.name() === 'train')!;
  for (const option of train.options) {
    if (ONLY_HERE.includes(option.attributeName())) continue;
    const paths = [...table].filter(([, flag]) => flag === option.long).map(([path]) => path);
    expect({
      flag: option.long,
      paths: paths.filter((path) => path.split('.')[0]! in trainCommandSchema.shape).length > 0,
    }).toEqual({ flag: option.long, paths: true });
  }
});

test('names that differ are derived, not written down', () => {
  const table = tableOf('train');
  for (const [path, flag] of [
    ['learningRate', '--lr'],
    ['architecture', '--arch'],
    ['maxCacheBytes', '--cache-bytes'],
    ['schedule.minLearningRate', '--min-lr'],
    ['minLearningRate', '--min-lr'],
    ['freeze.parameters', '--freeze'],
    ['freeze.unfreeze', '--unfreeze'],
    ['groups', '--group'],
    ['ema.decay', '--ema'],
    ['schedule.type', '--schedule'],
    ['validationSplit', '--val-split'],
    ['onBadFile', '--on-bad-file'],
  ])
    expect([path, table.get(path!)]).toEqual([path, flag]);
  expect(tableOf('bench').get('timeoutMs')).toBe('--timeout');
  expect(tableOf('evaluate').get('validationSplit')).toBe('--val-split');
});

test.each(commands.map((command) => [command.name(), command] as const))(
  '%s: whatever option is refused, its flag is named',
  (_, command) => {
    const table = flagsByOption(command, OPTIONS_OF_FLAGS);
    for (const option of command.options) expect(table.get(option.attributeName())).toBe(option.long);
    for (const [path, flag] of table) {
      const error = new InvalidOptionError(
        [`covidct ${command.name()}: an option is not valid`, `  ${path}: expected a number; got "x"`],
        [{ path, message: '' }],
      );
      expect(inFlags(linesOf(error), error, table)[1]).toBe(`  ${flag}: expected a number; got "x"`);
      expect(inFlags(linesOf(error), error, table, true)[1]).toBe(`  ${path} (${flag}): expected a number; got "x"`);
      const deeper = new InvalidOptionError(`Trainer: ${path}[0].epoch: expected less`, [
        { path: `${path}[0].epoch`, message: '' },
      ]);
      expect(inFlags(linesOf(deeper), deeper, table)[0]).toBe(`${flag}[0].epoch: expected less`);
      if (/^[a-z]+[A-Z]\w*$/.test(path)) {
        expect(inFlags([`leave them out with ${path}: 'skip', or try ${path} 4, within ${path}`], null, table)).toEqual(
          [`leave them out with ${flag} skip, or try ${flag} 4, within ${flag}`],
        );
      }
    }
  },
);

test('the function that refused an option is left out, what came is quoted as it came', () => {
  const error = new InvalidOptionError(
    ['openDataset: an option is not valid', '  validationSplit: too big; got { validationSplit: 2 }'],
    [{ path: 'validationSplit', message: '' }],
  );
  expect(inFlags(linesOf(error), error, tableOf('train'))).toEqual([
    'an option is not valid',
    '  --val-split: too big; got { validationSplit: 2 }',
  ]);
});

test('where a message names option and flag, the flag alone is left, but for a configuration file', () => {
  const table = tableOf('train');
  for (const [line, told] of [
    [
      "give positive: 'COVID' (--positive COVID), or classes: ['NonCOVID', 'COVID'] (--classes NonCOVID,COVID)",
      'give --positive COVID, or --classes NonCOVID,COVID',
    ],
    ['give the classes that are there (classes, --classes).', 'give the classes that are there (--classes).'],
    ['e.g. sixteenBit: { low: 0, high: 2047 } (--sixteen-bit 0:2047). Replace', 'e.g. --sixteen-bit 0:2047. Replace'],
    ['leave validationSplit (--val-split) out, or give root (--root)', 'leave --val-split out, or give --root'],
    ['no column "a" (pathColumn, --path-column)', 'no column "a" (--path-column)'],
    ['ask for it to be overwritten (overwrite: true, --overwrite)', 'ask for it to be overwritten (--overwrite)'],
    ['give other shares (--val-split, --test-split)', 'give other shares (--val-split, --test-split)'],
  ])
    expect(inFlags([line!], null, table)).toEqual([told]);
  expect(inFlags(['name it in classes (--classes)'], null, table, true)).toEqual(['name it in classes (--classes)']);
});

test('names of files, plain words and quoted values stay as they are', () => {
  const table = tableOf('train');
  for (const line of [
    '/data/batchSize/x.png: no image',
    'the data of a split; weights: none',
    "got 'onBadFile'",
    'batchSize.png',
    'classes: a, b',
    'weights: it does not exist',
    'got "learningRate"',
    'learningRate(x)',
    'all 3 epochs are done',
  ]) {
    expect(inFlags([line], new InvalidOptionError(line), table)).toEqual([line]);
  }
  expect(inFlags(["try batchSize 4 and accumulate 8, or precision 'bf16'"], null, table)).toEqual([
    'try --batch-size 4 and --accumulate 8, or --precision bf16',
  ]);
});
