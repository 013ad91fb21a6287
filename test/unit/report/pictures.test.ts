/** Charts as files: whole, both kinds, and a typed error where they cannot be written. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writePictures } from '../../../src/report/pictures';
import { pngSize } from '../../helpers/png';
import { madeUpEvaluation, madeUpHistory } from '../../helpers/report-data';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'covidct-pictures-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('each chart is there as SVG and PNG, and nothing else', async () => {
  const dir = path.join(folder, 'deep', 'pictures');
  const pictures = await writePictures(dir, { history: madeUpHistory(6), evaluation: madeUpEvaluation(30) });
  const names = ['loss', 'accuracy', 'roc', 'confusion-matrix', 'misclassified'];
  expect(pictures.map(({ name }) => name)).toEqual(names);
  expect(readdirSync(dir).sort()).toEqual(names.flatMap((name) => [`${name}.png`, `${name}.svg`]).sort());
  for (const { svg, png, bytes, width, height } of pictures) {
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg[\s\S]*<\/svg>\s*$/);
    expect(readFileSync(png).equals(bytes)).toBe(true);
    expect(pngSize(bytes)).toEqual({ width, height });
  }
});

test('without an evaluation there are the curves alone; an earlier picture is replaced', async () => {
  writeFileSync(path.join(folder, 'loss.svg'), 'old');
  const pictures = await writePictures(folder, { history: [], evaluation: null });
  expect(pictures.map(({ name }) => name)).toEqual(['loss', 'accuracy']);
  expect(readFileSync(path.join(folder, 'loss.svg'), 'utf8')).toContain('No epoch has been finished.');
});

test('a file that cannot be put in place is a typed error that names it, and leaves nothing half done', async () => {
  mkdirSync(path.join(folder, 'loss.svg', 'in the way'), { recursive: true });
  await expect(writePictures(folder, { history: [], evaluation: null })).rejects.toMatchObject({
    code: 'ERR_RUN_FOLDER',
    message: expect.stringContaining('loss.svg') as string,
  });
  expect(readdirSync(folder)).toEqual(['loss.svg']);
});
