#!/usr/bin/env node
/** The `covidct` program: connects the command line to the process. */
import { messageOf } from '../errors';
import { EXIT } from './exit-codes';
import type { Io } from './io';
import { runCommandLine } from './program';
import { ignoreBrokenPipe } from './streams';
import { printable } from '../text/printable';

const interruption = new AbortController();
let code: number = EXIT.interrupted;
/** Set when the results can no longer be delivered, whatever the command itself says. */
let undelivered: number | null = null;
let finished = false;

function stop(exitCode: number): void {
  code = exitCode;
  interruption.abort();
}

function tell(why: string): void {
  process.stderr.write(`\n${why}stopping after the present step and keeping what is done; Ctrl-C to quit at once\n`);
}

/** The first time ends the work in an orderly way, the second time at once. */
function interrupt(exitCode: number): void {
  if (interruption.signal.aborted) process.exit(exitCode);
  tell('');
  stop(exitCode);
}

process.on('SIGINT', () => interrupt(EXIT.interrupted));
process.on('SIGTERM', () => interrupt(EXIT.terminated));
ignoreBrokenPipe(process.stderr, () => undefined);
ignoreBrokenPipe(process.stdout, (error) => {
  undelivered = error.code === 'EPIPE' ? EXIT.outputClosed : EXIT.failure;
  // The command may have ended already.
  process.exitCode = undelivered;
  stop(undelivered);
  const why =
    error.code === 'EPIPE'
      ? 'nobody reads the results any more'
      : `the results cannot be written: ${printable(messageOf(error))}`;
  // A command that only had its last words left (`--help | head`) needs no stop.
  setImmediate(() => {
    if (!finished) tell(`${why}: `);
    else if (error.code !== 'EPIPE') process.stderr.write(`covidct: ${why}\n`);
  });
});

const io: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: interruption.signal,
  interruptedCode: () => code,
  // Opened only when it is asked for: an open standard input keeps the process alive.
  get stdin() {
    return process.stdin;
  },
};

void runCommandLine(process.argv.slice(2), io).then((exitCode) => {
  finished = true;
  process.exitCode = undelivered ?? exitCode;
});
