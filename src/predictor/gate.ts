/** Decides whether a model may answer in the place of another. */
import { makeBatch } from '../data/batch';
import { phantomPixels } from '../data/phantoms/image';
import type { Dataset } from '../data/types';
import { InvalidOptionError, throwIfAborted } from '../errors';
import type { GateFinding } from './errors';
import { delongTest, mcnemarTest } from '../metrics/paired';
import type { Evaluation } from '../metrics/types';
import type { Network } from '../model/types';
import { evaluateNetwork } from '../train/evaluate';
import type { ResolvedGate } from './gate-options';

/** A network and the evaluations of it that are already there, by data set. */
export interface Contender {
  readonly network: Network;
  readonly evaluations: WeakMap<Dataset, Evaluation>;
}

/** Side of the self-test's image, in pixels. */
const SIDE = 96;

/**
 * Puts a model to the test.
 *
 * @returns every check that was made, in order; after one that fails none is made
 * @throws InvalidOptionError for a gate that needs a data set and has none; as evaluate; AbortedError
 */
export async function passGate(
  candidate: Contender,
  current: Contender,
  gate: ResolvedGate,
  signal: AbortSignal | undefined,
): Promise<GateFinding[]> {
  requireDataset(gate);
  const checks: GateFinding[] = [];
  for (const check of checksOf(candidate, current, gate, signal)) {
    throwIfAborted(signal);
    const made = await check();
    checks.push(...made);
    if (made.some(({ passed }) => !passed)) break;
  }
  return checks;
}

function requireDataset({ dataset, ...needs }: ResolvedGate): void {
  const needing = Object.entries(needs).filter(([, value]) => value !== undefined && value !== false);
  if (dataset !== undefined || needing.length === 0) return;
  const [name] = needing[0]!;
  throw new InvalidOptionError(`gate.dataset: expected a labeled data set, since gate.${name} is asked for`, [
    { path: 'gate.dataset', message: 'missing' },
  ]);
}

function checksOf(
  candidate: Contender,
  current: Contender,
  gate: ResolvedGate,
  signal: AbortSignal | undefined,
): (() => Promise<GateFinding[]>)[] {
  const { dataset } = gate;
  const checks = [
    () => Promise.resolve([sameClasses(candidate.network, current.network)]),
    async () => [await selfTest(candidate.network)],
  ];
  if (dataset === undefined) return checks;
  checks.push(async () => leastRates(await evaluationOf(candidate, dataset, signal), gate));
  if (gate.notWorseThan !== false) {
    const alpha = gate.notWorseThan === true ? 0.05 : gate.notWorseThan.alpha;
    checks.push(async () =>
      notWorse(await evaluationOf(current, dataset, signal), await evaluationOf(candidate, dataset, signal), alpha),
    );
  }
  return checks;
}

async function evaluationOf(
  { network, evaluations }: Contender,
  dataset: Dataset,
  signal: AbortSignal | undefined,
): Promise<Evaluation> {
  const known = evaluations.get(dataset);
  if (known !== undefined) return known;
  const evaluation = await evaluateNetwork(network, dataset, { batchSize: 1, prefetch: 1, signal });
  evaluations.set(dataset, evaluation);
  return evaluation;
}

function sameClasses({ classes }: Network, { classes: now }: Network): GateFinding {
  const passed = classes.length === now.length && classes.every((name, index) => name === now[index]);
  return {
    name: 'classes',
    passed,
    detail: passed ? `the same classes: ${now.join(', ')}` : `expected ${now.join(', ')}; got ${classes.join(', ')}`,
  };
}

/** A made-up slice, twice: the numbers must be finite, and the same. */
async function selfTest(network: Network): Promise<GateFinding> {
  const image = phantomPixels({ positive: true, index: 0, size: SIDE });
  const batch = makeBatch([image], null, network.belongings.transform);
  const [first, second] = [await network.predict(batch), await network.predict(batch)];
  const finite = [...first.logits, ...first.probabilities].every(Number.isFinite);
  const same = first.logits.every((value, index) => value === second.logits[index]);
  const detail = finite
    ? `a made-up slice gives ${same ? 'the same finite numbers twice' : 'other numbers the second time'}`
    : 'a made-up slice gives numbers that are not finite';
  return { name: 'selfTest', passed: finite && same, detail };
}

function leastRates(evaluation: Evaluation, gate: ResolvedGate): GateFinding[] {
  const wanted = [
    ['minSensitivity', 'sensitivity'],
    ['minSpecificity', 'specificity'],
    ['minAuc', 'auc'],
    ['minAccuracy', 'accuracy'],
  ] as const;
  return wanted.flatMap(([name, key]) => {
    const least = gate[name];
    if (least === undefined) return [];
    const value = evaluation[key];
    const passed = value !== null && value >= least;
    const found = value === null ? 'it is not defined there' : value.toFixed(4);
    return [{ name, passed, detail: `${key} on ${evaluation.split}: ${found}, at least ${least} is asked for` }];
  });
}

function notWorse(before: Evaluation, after: Evaluation, alpha: number): GateFinding[] {
  const other = new Map(before.samples.map((sample) => [sample.id, sample]));
  const pairs = after.samples.flatMap((sample) => {
    const earlier = other.get(sample.id);
    return earlier === undefined ? [] : [{ earlier, sample }];
  });
  const labels = pairs.map(({ sample }) => sample.label);
  const right = mcnemarTest(
    labels,
    pairs.map(({ earlier }) => earlier.predicted),
    pairs.map(({ sample }) => sample.predicted),
  );
  const checks: GateFinding[] = [
    {
      name: 'notWorseThan',
      passed: right.onlyFirst <= right.onlySecond || right.p >= alpha,
      detail:
        `of ${labels.length} images ${right.onlyFirst} are right before and ${right.onlySecond} after alone ` +
        `(McNemar p ${right.p.toPrecision(3)}, alpha ${alpha})`,
    },
  ];
  if (after.classes.length !== 2) return checks;
  const scores = (of: 'earlier' | 'sample') => pairs.map((pair) => pair[of].probabilities[1]!);
  const { difference, p } = delongTest(labels, scores('earlier'), scores('sample'));
  checks.push({
    name: 'notWorseThan',
    // Where nothing can be said of a loss, it is none of chance's.
    passed: difference >= 0 || (p !== null && p >= alpha),
    detail:
      `AUC ${difference >= 0 ? '+' : ''}${difference.toFixed(4)} ` +
      `(DeLong p ${p === null ? 'not defined' : p.toPrecision(3)}, alpha ${alpha})`,
  });
  return checks;
}
