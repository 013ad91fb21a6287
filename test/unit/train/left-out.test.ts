/** What a data set's reader left out is told by the training, kept in the run folder and shown in the report. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mergeLeftOut } from '../../../src/files/left-out';
import type { LeftOut } from '../../../src/files/left-out';
import { addEvaluation, addTraining } from '../../../src/report/run-report';
import { evaluate } from '../../../src/train/evaluate';
import { RunFolder } from '../../../src/train/run-folder';
import { Trainer } from '../../../src/train/trainer';
import { FakeNetwork } from '../../helpers/fake-network';
import { CLASSES, collect, inTemporaryFolder, makeDataset, RECIPE } from './made-up';

const OF_TRAIN: readonly LeftOut[] = [
  { reason: 'notAnImage', count: 7, examples: ['a/x.txt', 'a/<b>.txt'] },
  { reason: 'deadLink', count: 1, examples: ['a/gone.png'] },
];
const OF_VALIDATION: readonly LeftOut[] = [{ reason: 'deadLink', count: 2, examples: ['b/gone.png', 'b/lost.png'] }];
const OF_TEST: readonly LeftOut[] = [{ reason: 'unreadable', count: 1, examples: ['c/secret.png'] }];

test('in the start event, config.json, the figures of a split and the report', () =>
  inTemporaryFolder(async (dir) => {
    const out = join(dir, 'run');
    const model = new FakeNetwork(CLASSES);
    const train = { ...(await makeDataset('train', 18)), leftOut: OF_TRAIN };
    const validation = { ...(await makeDataset('validation', 10)), leftOut: OF_VALIDATION };
    const [start] = await collect(
      new Trainer({ model: model.classifier, ...RECIPE, epochs: 1, out }).events(train, validation),
    );
    expect(start).toMatchObject({ type: 'start', leftOut: mergeLeftOut(OF_TRAIN, OF_VALIDATION) });
    const { data } = await (await RunFolder.open(out)).config();
    expect([data.train.leftOut, data.validation?.leftOut]).toEqual([OF_TRAIN, OF_VALIDATION]);
    expect((await (await RunFolder.open(out)).history()).start).toMatchObject({
      leftOut: mergeLeftOut(OF_TRAIN, OF_VALIDATION),
    });
    const held = { ...(await makeDataset('test', 6)), leftOut: OF_TEST };
    const figures = await evaluate(model.classifier, held, { split: 'test' });
    expect(figures.leftOut).toEqual(OF_TEST);
    await addTraining(out, { dataset: train });
    const explainer = { explain: () => Promise.resolve([]), layers: { default: 'none' } };
    // A made-up network has no pictures.
    await addEvaluation(out, { evaluation: figures, model: explainer as never, dataset: held }).catch(() => undefined);
    await addTraining(out, { dataset: train });
    const html = await readFile(join(out, 'report.html'), 'utf8');
    const files = html.slice(html.indexOf('Files left out'));
    expect(files).toContain('Left out by the reader of the data set');
    for (const part of [
      '<th scope="row">train split</th>\n<td class="number">7</td>\n<td>no images by their ' +
        'names or first bytes</td>\n<td class="path">a/x.txt, a/&lt;b&gt;.txt, ...</td>',
      'b/gone.png, b/lost.png',
      'c/secret.png',
      'Every listed file was decoded.',
    ])
      expect(files).toContain(part);
  }));

test('absent where nothing was left out', () =>
  inTemporaryFolder(async (dir) => {
    const out = join(dir, 'run');
    const [start] = await collect(
      new Trainer({ model: new FakeNetwork(CLASSES).classifier, ...RECIPE, epochs: 1, out }).events(
        await makeDataset('train', 18),
      ),
    );
    expect(start).not.toHaveProperty('leftOut');
    expect((await (await RunFolder.open(out)).config()).data.train).not.toHaveProperty('leftOut');
  }));
