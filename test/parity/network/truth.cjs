/**
 * Our own convolutions against the truth: PyTorch in float64, beside PyTorch in float32 in both of its memory formats:
 *   npm run parity:truth -- [--python PATH] [--seeds N] [ARCHITECTURE ...]
 * One row an architecture and a section: the largest distance of a tensor from float64's, the median over the seeds,
 * and of ours the least. The verdict: ours at most three times the worse of PyTorch's two. (A ReLU that stands on its
 * edge falls to either side with the last bit, in any implementation, and moves all gradients before it: hence median
 * and least.) VGG's widest linear layers, LibTorch's on every side, are left out.
 */
const { execFileSync } = require('node:child_process');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');

const { register } = require('./register.cjs');
register();
const { runRecipe } = require('./recipe.ts');
const { readSection, worst } = require('./sections.cjs');

const SECTIONS = ['logits', 'gradients', 'trained', 'losses', 'cam'];
const KINDS = ['float32', 'channels_last', 'auto'];
/** Below it two roundings of one number differ. */
const FLOOR = 2e-7;

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Distances by section and kind, of one seed. */
async function distances(architecture, python, seed) {
  const dir = mkdtempSync(join(tmpdir(), 'covidct-truth-'));
  try {
    execFileSync(python, [join(__dirname, 'reference.py'), 'truth', dir, architecture, String(seed)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const read = (kind, section) => readSection(join(dir, kind, `${section}.safetensors`));
    const ours = {};
    await runRecipe(
      architecture,
      (section, values) => {
        ours[section] = values;
      },
      { convolution: 'auto', seed, dropout: 0 },
    );
    const rows = {};
    for (const section of SECTIONS) {
      const truth = await read('float64', section);
      rows[section] = { auto: worst(ours[section], truth) };
      for (const kind of ['float32', 'channels_last']) rows[section][kind] = worst(await read(kind, section), truth);
    }
    return rows;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { python: { type: 'string', default: 'python3' }, seeds: { type: 'string', default: '5' } },
  });
  console.log(['architecture', 'section', ...KINDS, 'ratio', 'auto, least'].map((text) => text.padStart(14)).join(''));
  for (const name of positionals.length > 0
    ? positionals
    : ['vgg11', 'vgg11_bn', 'vgg19_bn', 'resnet18', 'resnet50', 'densenet121', 'tiny']) {
    const all = [];
    for (let seed = 0; seed < Number(values.seeds); seed += 1) all.push(await distances(name, values.python, seed));
    for (const section of SECTIONS) {
      const [float32, channelsLast, auto] = KINDS.map((kind) => median(all.map((rows) => rows[section][kind])));
      const ratio = auto / Math.max(float32, channelsLast, FLOOR);
      if (!(ratio <= 3)) process.exitCode = 1;
      console.log(
        [
          name,
          section,
          ...[float32, channelsLast, auto].map((x) => x.toExponential(1)),
          `${ratio.toFixed(2)}${ratio <= 3 ? '' : ' !'}`,
          Math.min(...all.map((rows) => rows[section].auto)).toExponential(1),
        ]
          .map((text) => text.padStart(14))
          .join(''),
      );
    }
  }
}

void main();
