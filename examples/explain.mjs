/**
 * Reads a saved model, says what it is, and shows where in a picture the evidence for its prediction lies
 * (Grad-CAM).
 *
 *   node examples/explain.mjs [MODEL [PICTURE [OVERLAY]]]
 *
 * MODEL is a run folder or a model folder, e.g. what examples/train.mjs wrote; OVERLAY is the PNG file to write.
 */
// @ts-check
import { writeFile } from 'node:fs/promises';
import { Classifier } from 'covidct-torch';
import { drawExplanation, encodeImage } from 'covidct-torch/report';

const [
  folder = 'runs/example',
  picture = 'phantoms/Images-processed/CT_COVID/phantom-covid-0001.png',
  overlay = 'overlay.png',
] = process.argv.slice(2);

const model = await Classifier.load(folder);
console.log(`${model.architecture} of ${model.parameterCount} parameters, for ${model.classes.join(' and ')}`);
console.log(`${model.classes.at(-1)} from a probability of ${model.threshold.toFixed(3)} on`);
for (const step of model.transform.steps) console.log(`  ${JSON.stringify(step)}`);
for (const { name, shape } of model.tensors()) console.log(`  ${name} [${shape.join(', ')}]`);

const [explanation] = await model.explain(picture); // of the predicted class, at the last convolutional block
if (explanation === undefined) throw new Error('one picture was given, so one explanation is expected');
const { label, probabilities, layer, map, height, width, region } = explanation;
console.log(`${picture}: ${label}, with a probability of ${probabilities[label]?.toFixed(3)}`);

// The map is [height, width]; `region` says which part of the picture it covers.
const hottest = map.indexOf(Math.max(...map));
const x = region.left + ((hottest % width) + 0.5) * (region.width / width);
const y = region.top + (Math.floor(hottest / width) + 0.5) * (region.height / height);
console.log(`${layer}: a map of ${width} x ${height}, hottest at (${Math.round(x)}, ${Math.round(y)})`);

await writeFile(overlay, await encodeImage(await drawExplanation(explanation, { alpha: 0.5 })));
console.log(`wrote ${overlay}`);
model.dispose();
