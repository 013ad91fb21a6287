/**
 * What the fuzzer knows of the exports: which it leaves out and why,
 * how instances are made, and what valid arguments are.
 */
const { join } = require('node:path');
const { PassThrough } = require('node:stream');

const OF_ERRORS = 'made by the library alone; an error must not fail while a failure is told';
const PRIVATE = 'private in TypeScript';

/** Names that are not called, each with the reason. */
exports.EXCLUDED = {
  CovidCtError: OF_ERRORS,
  InvalidOptionError: OF_ERRORS,
  DatasetError: OF_ERRORS,
  BadImageError: OF_ERRORS,
  LibTorchNotFoundError: OF_ERRORS,
  AbortedError: OF_ERRORS,
  RunBusyError: OF_ERRORS,
  QueueFullError: OF_ERRORS,
  GateError: OF_ERRORS,
  diagnose: 'takes nothing, and starts processes to look at the machine',
  'new Classifier': `${PRIVATE}: Classifier.create`,
  'new Predictor': `${PRIVATE}: Predictor.load`,
  'new RunFolder': `${PRIVATE}: RunFolder.create`,
  'new PackedDataset': `${PRIVATE}: PackedDataset.open`,
  'new CovidCtDataset': `${PRIVATE}: CovidCtDataset.open`,
  'Classifier#dispose': 'takes nothing, and ends the instance that the other cases use',
  'Predictor#dispose': 'takes nothing, and ends the instance',
  'Predictor#close': 'takes nothing, and ends the instance',
  'PackedDataset#close': 'takes nothing, and ends the instance',
  'ConsoleLogger#close': 'takes nothing, and ends the instance',
  'JsonLinesLogger#close': 'takes nothing, and ends the instance',
  'TensorBoardLogger#close': 'takes nothing, and ends the instance',
  'PixelStore#find': PRIVATE,
  'PixelStore#shelf': PRIVATE,
  'PixelStore#join': PRIVATE,
  'PixelStore#produce': PRIVATE,
  'PixelStore#decode': PRIVATE,
  'PixelStore#keep': PRIVATE,
  'PixelStore.check': PRIVATE,
};

/**
 * Functions that would fetch, compile or measure where their arguments are valid: given junk in place of a valid call.
 */
exports.COSTLY = ['installLibTorch', 'setUpNative', 'runBenchmark', 'measureSizes', 'fetchWeights'];

const CLASSES = ['NonCOVID', 'COVID'];

/** One of each exported class. */
exports.makeInstances = async (index, dir) => {
  await index.makePhantoms(join(dir, 'phantoms'), { count: 12, size: 32 });
  const data = await index.openDataset(join(dir, 'phantoms'));
  const model = await index.Classifier.create({
    architecture: 'tiny',
    classes: CLASSES,
    threads: 1,
    device: 'cpu',
    imageSize: 32,
  });
  await index.preparePacked(data, join(dir, 'packed'));
  const runFolder = await index.RunFolder.create(join(dir, 'run'));
  await new index.Trainer({ model, epochs: 1, batchSize: 4, imageSize: 32, out: join(dir, 'trained') }).fit(
    data.train,
    data.validation,
  );
  const card = await model.save(join(dir, 'model'));
  const evaluation = await index.evaluate(model, data.test, { split: 'test' });
  const explanation = (await model.explain(data.test.samples[0].source))[0];
  return {
    Classifier: model,
    Predictor: await index.Predictor.load(join(dir, 'model'), { device: 'cpu', threads: 1, timeoutMs: 2000 }),
    CovidCtDataset: data,
    RunFolder: runFolder,
    PackedDataset: await index.PackedDataset.open(join(dir, 'packed')),
    PixelStore: new index.PixelStore(),
    ConfusionMatrix: new index.ConfusionMatrix(2),
    MeanMetric: new index.MeanMetric(),
    Trainer: new index.Trainer({ model, epochs: 1, imageSize: 32 }),
    EarlyStopping: new index.EarlyStopping(),
    ConsoleLogger: new index.ConsoleLogger({ stream: new PassThrough().resume(), mode: 'lines' }),
    JsonLinesLogger: new index.JsonLinesLogger({ path: join(dir, 'log.jsonl') }),
    TensorBoardLogger: new index.TensorBoardLogger({ dir: join(dir, 'board') }),
    facts: {
      card,
      data,
      evaluation,
      explanation,
      history: (await (await index.RunFolder.open(join(dir, 'trained'))).history()).epochs,
    },
  };
};

const EVENT = { type: 'skipped', split: 'train', id: 'x', reason: 'why' };
const COUNTS = { truePositives: 1, falsePositives: 2, trueNegatives: 3, falseNegatives: 4 };

/** Valid arguments by name; undefined for a function that is called with junk alone. */
exports.validArguments = (name, index, instances, dir) => {
  const { data, evaluation, explanation, history } = instances.facts;
  const { Classifier: model } = instances;
  const image = data.test.samples[0].source;
  const pixels = { data: new Uint8Array(48), width: 4, height: 4 };
  const transform = index.tutorialEval({ size: 32 });
  const file = join(dir, 'model', instances.facts.card.weights);
  const report = {
    title: 'x',
    created: 'now',
    config: { a: 1 },
    model: { b: 2 },
    dataset: { name: 'd', splits: [{ name: 'train', n: 1, perClass: { a: 1 } }] },
    history,
    validation: null,
    test: evaluation,
    montages: [],
    gradCam: null,
    versions: {},
    stop: null,
    skipped: [],
    notes: [],
  };
  const table = {
    openFolder: () => [join(dir, 'phantoms', 'Images-processed'), { classes: ['a'] }],
    openCsv: () => [join(dir, 'none.csv'), { pathColumn: 'a', labelColumn: 'b' }],
    openDataset: () => [join(dir, 'phantoms'), { classes: CLASSES, split: 'Data-split' }],
    'CovidCtDataset.open': () => [join(dir, 'phantoms'), { split: 'Data-split' }],
    'PackedDataset.open': () => [join(dir, 'packed'), { classes: CLASSES }],
    preparePacked: () => [data, join(dir, 'packed-anew'), { overwrite: true, concurrency: 1 }],
    fromSamples: () => [{ name: 'x', classes: ['a', 'b'], samples: [{ source: 'x.png', label: 0, id: 'i' }] }],
    splitDataset: () => [data.train, { fractions: { train: 0.5, test: 0.5 }, seed: 1 }],
    decodeImage: () => [image, { maxPixels: 1e6, origin: 'x' }],
    'PixelStore#get': () => [data.test.samples[0], {}],
    'PixelStore#load': () => [data.test.samples[0], 0, {}],
    randomResizedCrop: () => [32, { scale: [0.5, 1], ratio: [1, 1] }],
    compose: () => [[...transform.steps]],
    parseTransform: () => [{ steps: [...transform.steps] }],
    normalize: () => [{ mean: [0, 0, 0], std: [1, 1, 1] }],
    sampleMontage: () => [data.train, { class: 'COVID', count: 2 }],
    makePhantoms: () => [join(dir, 'phantoms-anew'), { count: 12, size: 32 }],
    'Classifier.create': () => [{ architecture: 'tiny', classes: CLASSES, device: 'cpu', threads: 1 }],
    'Classifier.load': () => [join(dir, 'model'), { device: 'cpu', threads: 1 }],
    'Classifier#configure': () => [{ transform, threshold: 0.5, origin: 'x' }],
    'Classifier#predict': () => [[image, image], { batchSize: 1 }],
    'Classifier#explain': () => [image, { class: 'COVID', batchSize: 1 }],
    'Classifier#save': () => [join(dir, 'model-anew')],
    'Classifier#saveWeights': () => [join(dir, 'w.safetensors'), { a: 'b' }],
    'Classifier#loadWeights': () => [file, { replaceHead: true, weightsOnly: true }],
    'Predictor.load': () => [join(dir, 'model'), { device: 'cpu', threads: 1, maxQueue: 4 }],
    'Predictor#predict': () => [[image, pixels], { priority: 'low', explain: { class: 'COVID' }, threshold: 0.4 }],
    'Predictor#submit': () => [[image], { timeoutMs: 1000 }],
    'Predictor#promote': () => [join(dir, 'model'), { gate: { dataset: data.test, notWorseThan: true, minAuc: 0 } }],
    'Predictor#follow': () => [join(dir, 'model'), { everyMs: 10, gate: { dataset: data.test } }],
    'Predictor#on': () => ['answer', () => undefined],
    openWeightFile: () => [file, {}],
    convertWeights: () => [file, join(dir, 'converted.safetensors'), { metadata: { a: 'b' } }],
    detectArchitecture: () => [[{ name: 'a', shape: [1] }]],
    locateWeights: () => ['none', 'vgg11'],
    'MeanMetric#update': () => [1, 1],
    'MeanMetric#updateAll': () => [[1, 2]],
    'new ConfusionMatrix': () => [2],
    'ConfusionMatrix#update': () => [
      [0, 1],
      [1, 1],
    ],
    'ConfusionMatrix#merge': () => [new index.ConfusionMatrix(2)],
    confusionMatrix: () => [[0, 1], [1, 1], 2],
    binaryCounts: () => [
      [
        [1, 2],
        [3, 4],
      ],
      1,
    ],
    accuracy: () => [COUNTS],
    sensitivity: () => [COUNTS],
    specificity: () => [COUNTS],
    precision: () => [COUNTS],
    f1: () => [COUNTS],
    overallAccuracy: () => [
      [
        [1, 2],
        [3, 4],
      ],
    ],
    balancedAccuracy: () => [
      [
        [1, 2],
        [3, 4],
      ],
    ],
    rocCurve: () => [[0, 1], [0.1, 0.9], { dropIntermediate: true }],
    rocAuc: () => [
      [0, 1],
      [0.1, 0.9],
    ],
    prCurve: () => [
      [0, 1],
      [0.1, 0.9],
    ],
    averagePrecision: () => [
      [0, 1],
      [0.1, 0.9],
    ],
    delongInterval: () => [[0, 1], [0.1, 0.9], 0.95],
    delongTest: () => [[0, 1], [0.1, 0.9], [0.2, 0.8], 0.95],
    mcnemarTest: () => [
      [0, 1],
      [0, 1],
      [1, 1],
    ],
    wilson: () => [1, 2, 0.95],
    classificationReport: () => [
      [0, 1],
      [1, 1],
      ['a', 'b'],
    ],
    crossEntropy: () => [
      [0, 1],
      [
        [0.5, 0.5],
        [0.1, 0.9],
      ],
    ],
    summarize: () => [
      {
        split: 'x',
        classes: CLASSES,
        samples: [{ id: 'x', path: null, label: 0, probabilities: [0.5, 0.5], loss: 1 }],
        threshold: 0.5,
        skipped: [],
      },
    ],
    'new Trainer': () => [{ model, epochs: 1, loggers: [], trainTransform: transform, evalTransform: transform }],
    'Trainer#fit': () => [data.train, data.validation, { signal: AbortSignal.abort() }],
    'new EarlyStopping': () => [{ patience: 1 }],
    'EarlyStopping.fromState': () => [new index.EarlyStopping().state()],
    'EarlyStopping#addData': () => [1, 0.5],
    evaluate: () => [model, data.test, { batchSize: 2, split: 'x', threshold: 0.5, transform }],
    selectOutcomes: () => [evaluation, { threshold: 0.9, perKind: 1, seed: 0 }],
    'RunFolder.create': () => [join(dir, 'run-anew'), { overwrite: true }],
    'RunFolder.open': () => [join(dir, 'trained')],
    'RunFolder#file': () => ['a', 'b'],
    'RunFolder#write': () => ['x.txt', 'text'],
    'RunFolder#writeMetrics': () => [evaluation],
    'new ConsoleLogger': () => [{ stream: new PassThrough().resume(), mode: 'lines', ending: true }],
    'ConsoleLogger#log': () => [EVENT],
    'new JsonLinesLogger': () => [{ stream: new PassThrough().resume(), only: ['epoch'] }],
    'JsonLinesLogger#log': () => [EVENT],
    'new TensorBoardLogger': () => [{ dir: join(dir, 'board') }],
    'TensorBoardLogger#log': () => [EVENT],
    'TensorBoardLogger#scalar': () => ['a', 1, 1],
    'TensorBoardLogger#scalars': () => ['a', { b: 1 }, 1],
    'TensorBoardLogger#image': () => ['a', new Uint8Array(4), { width: 1, height: 1 }, 1],
    'TensorBoardLogger#text': () => ['a', 'b', 1],
    addEvaluation: () => [
      join(dir, 'trained'),
      { evaluation, model, dataset: data.test, layer: model.layers.default, gradCam: { count: 1 } },
    ],
    addTraining: () => [join(dir, 'trained'), { dataset: data.train }],
    readProgress: () => [join(dir, 'trained')],
    listRuns: () => [dir, {}],
    compareRuns: () => [[join(dir, 'trained'), join(dir, 'trained')], { split: 'validation' }],
    pruneRuns: () => [dir, { states: ['failed'], olderThanDays: 1, keep: 1, by: 'auc', checkpoints: true }],
    writeReport: () => [join(dir, 'trained')],
    drawExplanation: () => [explanation, { alpha: 0.5 }],
    encodeImage: () => [pixels],
    montage: () => [[{ pixels, caption: 'x' }], { columns: 1, tileSize: 32 }],
    svgToPng: () => ['<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>', { width: 4 }],
    accuracyCurve: () => [history],
    lossCurve: () => [history],
    confusionMatrixChart: () => [evaluation],
    rocChart: () => [evaluation],
    misclassifiedHistogram: () => [evaluation],
    writePictures: () => [join(dir, 'pictures'), { history, evaluation }],
    renderReport: () => [report],
    runBenchmark: () => [{ architectures: ['none'] }],
    measureSizes: () => [['none'], {}],
  };
  return table[name];
};
