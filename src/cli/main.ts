#!/usr/bin/env node
/** The `covidct` program: connects the command line to the process. */
import { EXIT } from './exit-codes';
import { runCommandLine } from './program';
import { outliveReader } from './streams';

const interruption = new AbortController();
let code: number = EXIT.interrupted;
/** Set when the results can no longer be delivered, whatever the command itself says. */
let undelivered: number | null = null;

function stop(exitCode: number, why: string): void {
  code = exitCode;
  process.stderr.write(`\n${why}stopping after the present step and keeping what is done; Ctrl-C to quit at once\n`);
  interruption.abort();
}

/** The first time ends the work in an orderly way, the second time at once. */
function interrupt(exitCode: number): void {
  if (interruption.signal.aborted) process.exit(exitCode);
  stop(exitCode, '');
}

process.on('SIGINT', () => interrupt(EXIT.interrupted));
process.on('SIGTERM', () => interrupt(EXIT.terminated));
outliveReader(process.stderr, () => undefined);
outliveReader(process.stdout, (error) => {
  undelivered = error.code === 'EPIPE' ? EXIT.outputClosed : EXIT.failure;
  // The command may have ended already.
  process.exitCode = undelivered;
  stop(undelivered, error.code === 'EPIPE' ? 'nobody reads the results any more: ' : `the results cannot be written (${error.message}): `);
});

void runCommandLine(process.argv.slice(2), { stdout: process.stdout, stderr: process.stderr, env: process.env, signal: interruption.signal, interruptedCode: () => code })
  .then((exitCode) => {
    process.exitCode = undelivered ?? exitCode;
  });
