/**
 * Measures how free the event loop stays while a training runs: a timer of 10 ms beats in the same process, and the
 * percentiles of its delay are printed. Run after `npm run build`:
 *
 *   node scripts/event-loop.cjs [seconds] [architecture] [image size]
 *
 * The training gets one thread. On two cores with nothing else running, the 99th percentile should stay below 20 ms.
 */
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { Classifier, makePhantoms, openDataset, Trainer } = require('../dist/index.js');

const BEAT_MS = 10;

/** Starts the beat; the returned function ends it and gives the delays in milliseconds, sorted. */
function startBeat() {
  const delays = [];
  let due = performance.now() + BEAT_MS;
  let timer;
  const beat = () => {
    const now = performance.now();
    delays.push(Math.max(0, now - due));
    due = now + BEAT_MS;
    timer = setTimeout(beat, BEAT_MS);
  };
  timer = setTimeout(beat, BEAT_MS);
  return () => {
    clearTimeout(timer);
    return delays.sort((a, b) => a - b);
  };
}

async function main([seconds = '20', architecture = 'vgg11_bn', imageSize = '64']) {
  const dir = mkdtempSync(join(tmpdir(), 'covidct-event-loop-'));
  try {
    await makePhantoms(join(dir, 'phantoms'), { count: 60, size: 96 });
    const data = await openDataset(join(dir, 'phantoms'));
    const model = await Classifier.create({ architecture, classes: [...data.classes], threads: 1 });
    const trainer = new Trainer({ model, imageSize: Number(imageSize), epochs: 100_000, patience: 100_000 });
    const endBeat = startBeat();
    let steps = 0;
    const stop = AbortSignal.timeout(Number(seconds) * 1000);
    for await (const event of trainer.events(data.train, data.validation, { signal: stop }))
      if (event.type === 'step') steps += 1;
    const delays = endBeat();
    const at = (share) => delays[Math.min(delays.length - 1, Math.floor(share * delays.length))].toFixed(2);
    console.log(
      JSON.stringify({
        architecture,
        imageSize: Number(imageSize),
        steps,
        beats: delays.length,
        delayMs: { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) },
      }),
    );
    model.dispose();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
