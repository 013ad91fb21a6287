/** `covidct report`: writes the report of a run again from its folder. */
import type { Command } from 'commander';
import { writeReport } from '../report/index';
import { EXIT } from './exit-codes';
import { during, print, printJson } from './io';
import type { Io, OutputFlags } from './io';

const EXAMPLES = `
Examples:
  $ covidct report runs/first

Sample montages come from covidct train, Grad-CAM montages and test metrics from covidct evaluate.`;

/** Adds the command. */
export function addReport(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  program
    .command('report')
    .summary('write report.html of a run again')
    .description('Draws the charts of a run and writes its report.html from what lies in the folder.')
    .argument('<run>', 'run folder')
    .option('--json', 'write one JSON object to standard output')
    .option('--quiet', 'say nothing but errors')
    .addHelpText('after', EXAMPLES)
    .action((dir: string, flags: OutputFlags) => run((io) => report(dir, flags, io)));
}

async function report(dir: string, flags: OutputFlags, io: Io): Promise<number> {
  const file = await during(io, flags, 'drawing the report', () => writeReport(dir));
  if (flags.json === true) printJson(io, { report: file });
  else if (flags.quiet !== true) print(io, file);
  return EXIT.ok;
}
