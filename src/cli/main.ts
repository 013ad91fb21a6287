#!/usr/bin/env node
/** The `covidct` program: connects the command line to the process. */
import { EXIT } from './exit-codes';
import { runCommandLine } from './program';

const interruption = new AbortController();
let code: number = EXIT.interrupted;

/** The first time ends the work in an orderly way, the second time at once. */
function interrupt(exitCode: number): void {
  if (interruption.signal.aborted) process.exit(exitCode);
  code = exitCode;
  process.stderr.write('\nstopping after the present step and keeping what is done; once more to quit at once\n');
  interruption.abort();
}

process.on('SIGINT', () => interrupt(EXIT.interrupted));
process.on('SIGTERM', () => interrupt(EXIT.terminated));
// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failure));

void runCommandLine(process.argv.slice(2), { stdout: process.stdout, stderr: process.stderr, env: process.env, signal: interruption.signal, interruptedCode: () => code })
  .then((exitCode) => {
    process.exitCode = exitCode;
  });
