/** The programs in examples/ run as a newcomer runs them, in an empty folder, one after the other. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';

const EXAMPLES = resolve(__dirname, '../../examples');

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'covidct-examples-')));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What an example prints, as lines. One that ends with an error fails with its own words. */
function run(name: string, ...args: string[]): string[] {
  const options = { cwd: folder, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(EXAMPLES, name), ...args], options);
  if (status !== 0) throw new Error(`${name} ended with ${status}:\n${stderr}`);
  return stdout.trim().split('\n');
}

/** The one line that matches. */
function lineOf(lines: readonly string[], pattern: RegExp): RegExpMatchArray {
  const found = lines.flatMap((line) => line.match(pattern) ?? []);
  expect([pattern.source, lines.filter((line) => pattern.test(line)).length]).toEqual([pattern.source, 1]);
  return found as RegExpMatchArray;
}

test('train.mjs learns what the made-up slices show, evaluates and writes a report', () => {
  const lines = run('train.mjs');
  expect(lines[0]).toBe('made-up slices: 72 images to train on, 24 to test');
  const aucs = lines.flatMap((line) => /^epoch \d+: loss \d+\.\d{3}, AUC ([01]\.\d{3})$/.exec(line)?.[1] ?? []);
  expect(aucs.length).toBeGreaterThan(5);
  expect(Math.max(...aucs.map(Number))).toBeGreaterThan(0.8);
  const [, accuracy, low, high] = lineOf(lines, /^accuracy (\S+) \(95 % interval (\S+) to (\S+)\)$/);
  expect(Number(low)).toBeLessThan(Number(accuracy));
  expect(Number(high)).toBeGreaterThan(Number(accuracy));
  const counts = JSON.parse(lineOf(lines, /^confusion matrix \[true\]\[predicted\]: (.*)$/)[1]!) as number[][];
  expect(counts.map(([no, yes]) => no! + yes!)).toEqual([12, 12]);
  expect(readFileSync(lineOf(lines, /^report: (.*)$/)[1]!, 'utf8')).toMatch(/^<!doctype html>/i);
});

test('train.mjs takes a folder with one folder of images for each class', () => {
  const lines = run('train.mjs', 'phantoms/Images-processed', 'CT_COVID');
  expect(lines[0]).toMatch(/: 72 images to train on, 24 to test$/);
  lineOf(lines, /^accuracy \S+ \(95 % interval \S+ to \S+\)$/);
});

test('serve.mjs answers over HTTP what the model says, refuses what is no image, and ends', () => {
  const lines = run('serve.mjs');
  expect(lines[0]).toMatch(/^listening on http:\/\/127\.0\.0\.1:\d+\/$/);
  expect(lines.slice(1).map((line) => line.slice(0, 3))).toEqual(['200', '400']);
  const [answer, refusal] = lines.slice(1).map((line) => JSON.parse(line.slice(4)) as Record<string, unknown>);
  const probabilities = Object.values(answer!['probabilities'] as Record<string, number>);
  expect(probabilities).toHaveLength(2);
  expect(probabilities[0]! + probabilities[1]!).toBeCloseTo(1, 6);
  expect(answer!['intendedUse']).toMatch(/not for diagnosis/);
  expect(refusal).toEqual({ error: expect.stringMatching(/it is text/) });
});

test('explain.mjs says what the model is, and draws where the evidence lies', async () => {
  const lines = run('explain.mjs');
  lineOf(lines, /^tiny of \d+ parameters, for \w+ and CT_COVID$/);
  lineOf(lines, /^ {2}\{"type":"resize","size":\[48,48\]\}$/);
  lineOf(lines, /^ {2}classifier\.6\.weight \[2, 64\]$/);
  const [, label, probability] = lineOf(lines, /^phantoms\S+: (\w+), with a probability of (\S+)$/);
  expect(['CT_NonCOVID', 'CT_COVID']).toContain(label);
  expect(Number(probability)).toBeGreaterThan(0);
  const [, x, y] = lineOf(lines, /a map of 12 x 12, hottest at \((\d+), (\d+)\)$/);
  const picture = await sharp(join(folder, 'phantoms/Images-processed/CT_COVID/phantom-covid-0001.png')).metadata();
  const overlay = await sharp(join(folder, 'overlay.png')).metadata();
  expect([overlay.width, overlay.height]).toEqual([picture.width, picture.height]);
  expect(Number(x)).toBeLessThan(picture.width);
  expect(Number(y)).toBeLessThan(picture.height);
});

test('a model that is not there is named, with what to do', () => {
  expect(() => run('explain.mjs', 'runs/none')).toThrow(/ERR_MODEL/);
});

test('every example is among those above, and in the README', () => {
  const readme = readFileSync(join(EXAMPLES, 'README.md'), 'utf8');
  const names = readdirSync(EXAMPLES).filter((name) => name !== 'README.md');
  expect(names).toEqual(['explain.mjs', 'serve.mjs', 'train.mjs']);
  for (const name of names) expect(readme).toContain(`node examples/${name}`);
});
