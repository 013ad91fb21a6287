/**
 * Compares every slice of the real data set, decoded and transformed, with torchvision on PIL, pixel by pixel.
 *
 *   npm run build && node test/parity/transforms/compare-real.cjs [--data DIR] [--python PYTHON] [--dist DIST]
 *
 * PYTHON needs torch, torchvision, numpy and Pillow. Prints one line a transform and ends with code 1 when a pixel is
 * further off than 2/255 or an image further than 0.25/255 on average. No pixel is written anywhere.
 */
const { spawn } = require('node:child_process');
const path = require('node:path');
const { parseArgs } = require('node:util');

const ROOT = path.resolve(__dirname, '..', '..', '..');
const { values: args } = parseArgs({
  options: {
    data: { type: 'string', default: path.join(ROOT, '..', 'shared', 'covid-ct') },
    python: { type: 'string', default: process.env.COVIDCT_TEST_PYTHON ?? 'python3' },
    dist: { type: 'string', default: path.join(ROOT, 'dist') },
  },
});
const load = (name) => require(path.join(path.resolve(args.dist), name));
const { CovidCtDataset } = load('data/covid-ct');
const { decodeImage } = load('data/images/decode');
const { makeBatch } = load('data/batch');
const { aspectEval, tutorialEval, tutorialTrain } = load('data/transforms/presets');
const { planTransform } = load('data/transforms/program');
const { makeDraw } = load('data/random');
const { loadNative } = load('addon/load');

const SIZE = 224;
const BEFORE = 256;
const CROP = 2;
const FLIP = 3;
const plain = { size: SIZE, normalization: 'none' };

/** Asks the Python side one question after another; each answer is height, width and the bytes. */
function startReference() {
  const child = spawn(args.python, [path.join(__dirname, 'reference.py'), 'serve'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise((_, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`${args.python} ended with code ${code}`)));
  });
  ended.catch(() => undefined);
  const reader = child.stdout[Symbol.asyncIterator]();
  let rest = Buffer.alloc(0);
  async function take(length) {
    const chunks = [rest];
    for (let have = rest.length; have < length;) {
      const { value, done } = await Promise.race([reader.next(), ended]);
      if (done) throw new Error('the Python side closed its output');
      chunks.push(value);
      have += value.length;
    }
    const all = Buffer.concat(chunks);
    rest = all.subarray(length);
    return all.subarray(0, length);
  }
  return {
    async ask(question) {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const head = await take(8);
      const [height, width] = [head.readUInt32LE(0), head.readUInt32LE(4)];
      return { height, width, data: await take(height * width * 3) };
    },
    close: () => child.stdin.end(),
  };
}

/** Channels-first floats in [0, 1] as bytes' scale, rows first. */
function interleave(values, plane) {
  const out = new Float64Array(plane * 3);
  for (let index = 0; index < out.length; index += 1)
    out[index] = values[(index % 3) * plane + Math.floor(index / 3)] * 255;
  return out;
}

/** The question to the Python side that a slice's own training draw amounts to. */
function trainQuestion(transform, pixels, draw) {
  const rows = planTransform(transform, pixels, draw);
  const crop = rows.find(([operation]) => operation === CROP);
  const short = Math.min(pixels.width, pixels.height);
  const whole = {
    height: Math.floor((BEFORE * pixels.height) / short),
    width: Math.floor((BEFORE * pixels.width) / short),
  };
  return {
    kind: 'train',
    box: crop ? crop.slice(1) : [0, 0, whole.height, whole.width],
    flip: rows.some(([operation]) => operation === FLIP),
  };
}

class Tally {
  constructor() {
    Object.assign(this, { images: 0, max: 0, worstMean: 0, sum: 0, pixels: 0, off: 0 });
  }

  add(actual, expected) {
    let sum = 0;
    for (let index = 0; index < expected.length; index += 1) {
      const difference = Math.abs(actual[index] - expected[index]);
      sum += difference;
      if (difference > 0.5) this.off += 1;
      if (difference > this.max) this.max = difference;
    }
    this.images += 1;
    this.sum += sum;
    this.pixels += expected.length;
    this.worstMean = Math.max(this.worstMean, sum / expected.length);
  }

  toString() {
    return (
      `${this.images} images, max ${this.max.toFixed(3)}/255, ` +
      `mean ${(this.sum / this.pixels).toFixed(4)}/255, worst image's mean ${this.worstMean.toFixed(4)}/255, ` +
      `values that differ ${((100 * this.off) / this.pixels).toFixed(3)} %`
    );
  }
}

async function main() {
  const dataset = await CovidCtDataset.open(args.data);
  const samples = [...dataset.train.samples, ...dataset.validation.samples, ...dataset.test.samples];
  const { Classifier } = loadNative();
  const classifier = new Classifier({
    architecture: 'tiny',
    classes: 2,
    device: 'cpu',
    threads: 1,
    seed: 0,
    dropout: 0,
  });
  await classifier.ready();
  const reference = startReference();
  const tallies = { decode: new Tally(), eval: new Tally(), aspect: new Tally(), train: new Tally() };
  const transforms = { eval: tutorialEval(plain), aspect: aspectEval(plain), train: tutorialTrain(plain) };
  for (const [index, { source }] of samples.entries()) {
    const pixels = await decodeImage(source);
    const ask = (question) => reference.ask({ path: source, size: SIZE, before: BEFORE, ...question });
    tallies.decode.add(pixels.data, (await ask({ kind: 'decode' })).data);
    for (const [kind, transform] of Object.entries(transforms)) {
      const draw = () => makeDraw({ seed: 0, sample: index });
      const seen = interleave(await classifier.input(makeBatch([pixels], null, transform, [draw()])), SIZE * SIZE);
      tallies[kind].add(seen, (await ask(kind === 'train' ? trainQuestion(transform, pixels, draw()) : { kind })).data);
    }
  }
  reference.close();
  classifier.dispose();
  for (const [kind, tally] of Object.entries(tallies)) console.log(`${kind.padEnd(7)}${tally}`);
  if (Object.values(tallies).some(({ max, worstMean }) => max > 2.001 || worstMean > 0.25)) process.exitCode = 1;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
