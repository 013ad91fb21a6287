/** The command line as a whole: verbs, help, and how a failure becomes an exit code. */
import { Command, CommanderError } from 'commander';
import { INTENDED_USE } from '../intended-use';
import { packageVersion } from '../install/index';
import { addBench, optionsOf as benchOptionsOf } from './bench';
import { addDemo } from './demo';
import { addDoctor } from './doctor';
import { addEvaluate } from './evaluate';
import { EXIT, EXIT_CODES_HELP, exitCodeOf } from './exit-codes';
import { addExplain } from './explain';
import { flagsByOption, inFlags } from './format/flags';
import type { FlagsToOptions } from './format/flags';
import { addInstallLibTorch } from './install-libtorch';
import { commanderOutput, complain, note } from './io';
import type { Io } from './io';
import { addPredict } from './predict';
import { addPrepare } from './prepare';
import { addReport } from './report';
import { addRuns } from './runs';
import { addImport } from './import';
import { addTrain, optionsOf as trainOptionsOf } from './train';
import { addWeights } from './weights';

/** Runs the work of a command and keeps its exit code. */
export type Runner = (work: (io: Io) => Promise<number>) => Promise<void>;

/**
 * Runs one command line.
 *
 * @param args without the name of the program
 * @returns the exit code; failures have been printed to standard error
 */
export async function runCommandLine(args: readonly string[], io: Io): Promise<number> {
  let code: number = EXIT.ok;
  let command: Command | null = null;
  const run: Runner = async (work) => {
    code = await work(io);
  };
  try {
    const program = build(io, run);
    program.hook('preAction', (_, actionCommand) => {
      command = actionCommand;
    });
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (io.signal.aborted && (error as { code?: unknown } | null)?.code === 'ERR_ABORTED') {
      note(io, {}, 'interrupted');
      return io.interruptedCode();
    }
    complain(io, error, (lines) => wordsOf(command, lines, error));
    return exitCodeOf(error);
  }
}

function wordsOf(command: Command | null, lines: string[], error: unknown): string[] {
  if (command === null) return lines;
  return inFlags(lines, error, flagsByOption(command, OPTIONS_OF_FLAGS), command.opts()['config'] !== undefined);
}

/** How the commands make options of flags; every flag of every command is looked for in each. */
export const OPTIONS_OF_FLAGS: readonly FlagsToOptions[] = [trainOptionsOf, benchOptionsOf];

/** The whole command line. */
export function build(io: Io, run: Runner): Command {
  const program = new Command('covidct')
    .description(`Trains, judges and explains a CT slice classifier.\n${INTENDED_USE}`)
    .version(packageVersion())
    .exitOverride()
    .showHelpAfterError('(covidct --help and covidct <command> --help tell what there is)')
    .configureOutput(commanderOutput(io))
    .addHelpText(
      'after',
      `\n${EXIT_CODES_HELP}\nEnvironment: COVIDCT_DATA names the data set, ` +
        'COVIDCT_TORCH_LIBTORCH the LibTorch folder, COVIDCT_DEBUG shows stacks.',
    );
  for (const add of [
    addPrepare,
    addTrain,
    addEvaluate,
    addPredict,
    addExplain,
    addReport,
    addRuns,
    addWeights,
    addImport,
    addDoctor,
    addBench,
    addInstallLibTorch,
    addDemo,
  ])
    add(program, run);
  for (const command of program.commands.flatMap((each) => [each, ...each.commands]))
    command.copyInheritedSettings(program).addHelpText('after', `\n${EXIT_CODES_HELP}`);
  return program;
}
