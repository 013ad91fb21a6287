/** What loading weights did, in words. */
import type { LoadReport } from '../../index';
import type { Pretraining } from '../../weights/index';

function shape(sides: readonly number[]): string {
  return `[${sides.join(', ')}]`;
}

/** The report of a load, a line each. */
export function loadText(path: string, report: LoadReport, pretraining: Pretraining | null): string[] {
  const { loaded, missing, unexpected, replacedHead, summedInput, notes } = report;
  const uncounted = missing.filter((name) => name.endsWith('.num_batches_tracked')).length;
  const others = missing.filter((name) => !name.endsWith('.num_batches_tracked'));
  const lines = [`${path}: ${loaded.length} tensors loaded`, ...notes.map((note) => `  ${note}`)];
  const replaced = replacedHead.map(
    ({ name, expected, actual }) => `${name} ${shape(actual)} in the file, ${shape(expected)} here`,
  );
  if (replaced.length > 0) lines.push(`  a new head starts at random: ${replaced.join('; ')}`);
  if (summedInput.length > 0) lines.push(`  RGB filters summed for gray input: ${summedInput.join(', ')}`);
  if (uncounted > 0) lines.push(`  ${uncounted} counts of batches are not in the file, which is of no effect`);
  if (others.length > 0) lines.push(`  not in the file, as allowed: ${others.join(', ')}`);
  if (unexpected.length > 0) lines.push(`  not used, as allowed: ${unexpected.join(', ')}`);
  if (pretraining !== null) lines.push(`  ${normalizationText(pretraining)}`);
  return lines;
}

function normalizationText({ mean, std, assumed, name }: Pretraining): string {
  const source = assumed ? " (ImageNet's, an assumption: nothing in the file says)" : `, as ${name} was trained`;
  return `normalization: mean ${mean.join(', ')}, std ${std.join(', ')}${source}`;
}
