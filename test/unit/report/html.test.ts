/** The report as HTML: everything is in it, nothing gets out of it. */
import { INTENDED_USE } from '../../../src/intended-use';
import { renderReport } from '../../../src/report/html';
import { madeUpEvaluation, madeUpReport } from '../../helpers/report-data';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==',
  'base64',
);
const EVIL = `<img src=x onerror=alert(1)>"'&</style></svg><script>alert(2)</script>`;

/** Elements that are open at the end or closed without being open; a page of ours has none. */
function unbalanced(html: string): string[] {
  const open: string[] = [];
  for (const [, closing, tag, attributes] of html
    .replace(/<!doctype[^>]*>/i, '')
    .replace(/<style>[\s\S]*?<\/style>/, '')
    .matchAll(/<(\/?)([a-zA-Z][\w-]*)([^>]*)>/g)) {
    if (attributes!.endsWith('/') || ['meta', 'img'].includes(tag!)) continue;
    if (closing === '') open.push(tag!);
    else if (open.at(-1) === tag) open.pop();
    else return [...open, `/${tag}`];
  }
  return open;
}

test('every part is there', () => {
  const html = renderReport(
    madeUpReport({
      montages: [{ title: 'COVID samples', png: PNG, caption: 'Five drawn at random.' }],
      gradCam: {
        layer: 'features.51',
        groups: [
          { kind: 'truePositive', png: PNG, count: 42, shown: 10, threshold: 0.9 },
          { kind: 'falsePositive', png: PNG, count: 1, threshold: 0.9 },
          { kind: 'trueNegative', png: null, count: 0, threshold: 0.9 },
          { kind: 'falseNegative', png: null, count: 3, threshold: 0.9, note: 'The files are gone.' },
        ],
      },
      notes: ['A remark.'],
    }),
  );
  expect(html.split(INTENDED_USE)).toHaveLength(3);
  for (const part of [
    'Test split, 203 images',
    'Validation split, 118 images',
    'learningRate',
    'transform.normalization',
    'vgg19_bn',
    '<td class="number">425</td>',
    'NonCOVID',
    'Ended (early-stopping)',
    '34 epochs in',
    'features.51',
    'True positives (42)',
    '10 of 42 with a probability',
    'None: no image of this kind',
    'Not drawn. The files are gone.',
    'COVID samples',
    'most confident of 32 mistakes',
    '/data/Images-processed/CT_COVID/',
    'None: every listed file was decoded.',
    '2.13.0',
    'A remark.',
    '2020-04-01T12:00:00.000Z',
  ])
    expect(html).toContain(part);
  expect(html.split('data:image/png;base64,')).toHaveLength(1 + 3);
  expect(html.match(/<svg /g)).toHaveLength(2 + 3 + 3);
  expect(unbalanced(html)).toEqual([]);
});

test('where the threshold was let go, the montage says what is shown instead', () => {
  const group = { kind: 'truePositive', png: PNG, count: 52, shown: 10, threshold: 0 } as const;
  const html = renderReport(
    madeUpReport({
      gradCam: {
        layer: 'features.51',
        split: 'test',
        groups: [
          { ...group, letGo: { threshold: 0.9, above: 0 } },
          { ...group, kind: 'falsePositive', letGo: { threshold: 0.9, above: 2 } },
          { ...group, kind: 'trueNegative', count: 3, shown: 3, letGo: { threshold: 0.9, above: 0 } },
        ],
      },
    }),
  );
  expect(html).toContain('<figcaption>The 10 most confident of 52; none above 0.9. ');
  expect(html).toContain('<figcaption>The 10 most confident of 52; only 2 above 0.9. ');
  expect(html).toContain('<figcaption>All 3, the most confident first; none above 0.9. ');
  expect(html).toContain('Images of the test split. Layer features.51.');
  expect(html).not.toContain('above 0.<');
  expect(html).not.toMatch(/above 0[^.]/);
});

test('rates come with their intervals and counts', () => {
  const test = madeUpEvaluation(203);
  const html = renderReport(madeUpReport({ test }));
  const { accuracy } = test.intervals;
  const bounds = `${accuracy.interval![0].toFixed(3)}–${accuracy.interval![1].toFixed(3)}`;
  expect(html).toContain(
    `<th scope="row">Accuracy</th>\n<td class="number">${test.accuracy!.toFixed(3)}</td>\n` +
      `<td class="number">${bounds}</td>\n<td class="number">${accuracy.numerator}/203</td>`,
  );
});

test('nothing asks the network, and no script is there', () => {
  const html = renderReport(madeUpReport());
  expect(html).not.toMatch(/<script|<link|<iframe|<object|@import|javascript:|url\((?!#)/i);
  expect(
    [...html.matchAll(/\b(?:src|href|xlink:href)="([^"]*)"/g)].filter(
      ([, target]) => !/^(data:image\/png;base64,|#)/.test(target!),
    ),
  ).toEqual([]);
  expect(
    [...html.matchAll(/https?:\/\/[^"'\s<]*/g)]
      .map(([address]) => address)
      .filter((address) => !address.startsWith('http://www.w3.org/')),
  ).toEqual([]);
  expect(html).toContain("default-src 'none'");
});

test('ids are used once', () => {
  const ids = [...renderReport(madeUpReport()).matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test('markup in names, paths, options and messages is text', () => {
  const html = renderReport(
    madeUpReport({
      title: EVIL,
      created: EVIL,
      config: { [EVIL]: EVIL, list: [EVIL] },
      model: { origin: EVIL },
      dataset: { name: EVIL, splits: [{ name: EVIL, n: 1, perClass: { [EVIL]: 1 } }] },
      test: madeUpEvaluation(60, { split: EVIL, classes: [EVIL, `${EVIL}2`], names: (index) => `${EVIL}${index}` }),
      montages: [{ title: EVIL, png: PNG, caption: EVIL }],
      gradCam: { layer: EVIL, groups: [{ kind: 'truePositive', png: PNG, count: 1, threshold: 0.9, note: EVIL }] },
      versions: { [EVIL]: EVIL },
      stop: { reason: EVIL, message: EVIL },
      notes: [EVIL],
      skipped: [{ split: EVIL, id: EVIL, reason: EVIL }],
    }),
  );
  expect(html).not.toContain('<img src=x');
  expect(html).not.toContain('<script');
  expect(html.match(/<\/style>/g)).toHaveLength(1);
  expect(unbalanced(html)).toEqual([]);
  expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;');
});

test('a run of which nothing is known still makes a report that says so', () => {
  const html = renderReport(
    madeUpReport({
      history: [],
      test: null,
      validation: null,
      stop: null,
      versions: {},
      config: {},
      model: undefined,
      dataset: { name: 'none', splits: [] },
    }),
  );
  for (const part of [
    'The test split was not evaluated.',
    'No validation split was evaluated.',
    'No Grad-CAM was made.',
    'No epoch has been finished.',
    'No split is recorded.',
  ])
    expect(html).toContain(part);
  expect(html).not.toMatch(/NaN|undefined|\[object/);
  expect(unbalanced(html)).toEqual([]);
});

test.each([
  ['no images', 0, {}],
  ['one class', 1, {}],
  ['no mistake', 40, { confident: true }],
  ['three classes', 60, { classes: ['a', 'b', 'c'] }],
])('an evaluation with %s', (_, n, more) => {
  const html = renderReport(madeUpReport({ test: madeUpEvaluation(n, more) }));
  expect(html).not.toMatch(/NaN|undefined|Infinity/);
  expect(unbalanced(html)).toEqual([]);
  if (n === 1) expect(html).toContain('not defined');
  if (n === 40) expect(html).toContain('No image was misclassified.');
  if (n === 60) expect(html).toContain('macro one-vs-rest');
});

test('files left out are listed once, from every split', () => {
  const validation = {
    ...madeUpEvaluation(10, { split: 'validation' }),
    skipped: [{ id: 'b.png', reason: 'cut off' }],
  };
  const html = renderReport(
    madeUpReport({
      validation,
      skipped: [
        { split: 'train', id: 'a.png', reason: 'not an image' },
        { split: 'validation', id: 'b.png', reason: 'cut off' },
      ],
    }),
  );
  expect(html).toContain('2 could not be decoded');
  expect(html.split('b.png')).toHaveLength(2);
});

test('the same data gives the same document', () => {
  expect(renderReport(madeUpReport())).toBe(renderReport(madeUpReport()));
});
