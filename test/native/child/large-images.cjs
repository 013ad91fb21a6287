/**
 * Images of extreme shapes through everything that opens them, in a process of its own whose peak memory is told:
 * `node large-images.cjs WAY FOLDER`. Uses the built library.
 */
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { crc32, deflateSync, gzipSync } = require('node:zlib');
const {
  aspectEval,
  Classifier,
  fromSamples,
  preparePacked,
  splitDataset,
  Trainer,
  tutorialEval,
} = require('../../../dist/index.js');
const { PixelStore } = require('../../../dist/data/store.js');

const peak = () => Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;

function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/** A gray PNG of one bit, black. */
function png(width, height) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  const rows = deflateSync(Buffer.alloc((1 + Math.ceil(width / 8)) * height), { level: 9 });
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', header),
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const svg =
  '<svg xmlns="http://www.w3.org/2000/svg" width="20000" ' +
  `height="20000">${'<g opacity=".5"><rect width="20000" height="20000"/></g>'.repeat(50)}</svg>`;
const files = {
  'a tall PNG': png(1, 3_000_000),
  'a wide PNG': png(3_000_000, 1),
  'a tall PNG within the limit on sides': png(1, 16_384),
  'a wide PNG within the limit on sides': png(16_384, 1),
  'an SVG in gzip': gzipSync(svg),
  'a PNG of many pixels': png(60_000, 60_000 / 50),
};
const small = png(80, 60);

const [, , way, folder] = process.argv;
const data = (source) =>
  splitDataset(
    fromSamples({
      classes: ['a', 'b'],
      samples: Array.from({ length: 8 }, (_, i) => ({
        source: i === 3 ? source : Buffer.from(small),
        label: i % 2,
        id: `${i}`,
      })),
    }),
    { fractions: { train: 1 } },
  );
const aspect = aspectEval({ size: 64 });

const ways = {
  predict: (model) => (source) => model.predict(source),
  predictAspect: (model) => (source) => {
    model.configure({ transform: aspect, threshold: 0.5 });
    return model.predict(source);
  },
  predictRaised: (model) => (source) => model.predict(source, { maxSide: 3_000_000 }),
  explain: (model) => (source) => model.explain(source),
  train: (model) => (source) => new Trainer({ model, epochs: 1, imageSize: 64 }).fit(data(source).train, null),
  trainAspect: (model) => (source) =>
    new Trainer({ model, epochs: 1, imageSize: 64, trainTransform: aspect, evalTransform: aspect }).fit(
      data(source).train,
      null,
    ),
  store: () => (source) => new PixelStore().get({ source }),
  prepare: (_model, tools) => (source) =>
    preparePacked(data(source), path.join(folder, `${(tools.count += 1)}.pack`), { resize: 256 }),
};

async function main() {
  const model = await Classifier.create({
    architecture: 'tiny',
    classes: ['a', 'b'],
    device: 'cpu',
    threads: 1,
    imageSize: 224,
  });
  model.configure({ transform: tutorialEval({ size: 224 }), threshold: 0.5 });
  const run = ways[way](model, { count: 0 });
  await run(small);
  const before = peak();
  const outcomes = {};
  for (const [name, source] of Object.entries(files)) {
    outcomes[name] = await run(source).then(
      () => 'done',
      (error) => `${error.code}: ${error.reason ?? error.message}`,
    );
  }
  process.stdout.write(`${JSON.stringify({ outcomes, grown: peak() - before })}\n`);
  model.dispose();
}

void main();
