/** Loads an addon once in a process of its own: what crashes or cannot be linked is found out before it is trusted. */
import { execFile, spawnSync } from 'node:child_process';
import { CovidCtError, messageOf } from '../errors';
import { minorOf } from './libtorch-folder';
import { loadAdvice } from './load-advice';

/** Prints JSON: what the addon says of itself, or the linker's message. */
const PROGRAM = `
const report = (what) => require('node:fs').writeSync(1, JSON.stringify(what));
try {
  const native = require(process.argv[1]);
  report({ version: native.info().libtorchVersion });
  native.join();
} catch (error) {
  report({ error: String((error && error.message) || error) });
}`;

/** A process that hangs while it links is given up after this long; a slow disk needs seconds for LibTorch's 450 MB. */
const TIMEOUT_MS = 120_000;

interface Report {
  version?: string;
  error?: string;
}

interface End {
  stdout: string;
  stderr: string;
  status: number | string | null | undefined;
  signal: NodeJS.Signals | null | undefined;
}

/** `node` itself, also inside Electron; a debugger's or loader's flags of the parent are none of its business. */
function environment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, ELECTRON_RUN_AS_NODE: '1' };
  delete env['NODE_OPTIONS'];
  return env;
}

function parse(text: string): Report {
  try {
    return JSON.parse(text) as Report;
  } catch {
    return {};
  }
}

/** Throws unless the process said the right version. */
function judge(file: string, libtorchVersion: string, { stdout, stderr, status, signal }: End): void {
  const { version, error } = parse(stdout);
  if (error !== undefined)
    throw new CovidCtError('ERR_ADDON_LOAD', [`the addon ${file} could not be loaded: ${error}`, loadAdvice(error)]);
  if (version === undefined || signal || status !== 0) {
    const how = signal ? `was ended by ${signal}` : `ended with ${status}`;
    throw new CovidCtError(
      'ERR_ADDON_LOAD',
      `the addon ${file} was loaded in a process of its own, ` +
        `which ${how}${stderr.trim() === '' ? '' : `: ${stderr.trim().slice(-2000)}`}`,
    );
  }
  if (minorOf(version) !== minorOf(libtorchVersion)) {
    throw new CovidCtError(
      'ERR_ADDON_LOAD',
      `the addon ${file} was built with the headers of LibTorch ${version}, ` +
        `but it is to be used with LibTorch ${libtorchVersion}`,
    );
  }
}

/**
 * Loads `file` in a child process and waits for it; takes about a second.
 *
 * @param libtorchVersion the LibTorch it is to be used with, e.g. `2.13.0`
 * @throws CovidCtError ERR_ADDON_LOAD with the linker's message and what it means, or with the signal that ended it
 */
export async function tryAddon(file: string, libtorchVersion: string): Promise<void> {
  const end = await new Promise<End>((done) => {
    execFile(
      process.execPath,
      ['-e', PROGRAM, file],
      { env: environment(), timeout: TIMEOUT_MS, windowsHide: true },
      (error, stdout, stderr) => {
        done({
          stdout,
          stderr: stderr || (error === null ? '' : messageOf(error)),
          status: error === null ? 0 : error.code,
          signal: error?.signal,
        });
      },
    );
  });
  judge(file, libtorchVersion, end);
}

/** {@link tryAddon} for a caller that cannot wait: blocks. */
export function tryAddonSync(file: string, libtorchVersion: string): void {
  const { stdout, stderr, status, signal, error } = spawnSync(process.execPath, ['-e', PROGRAM, file], {
    env: environment(),
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    windowsHide: true,
  });
  judge(file, libtorchVersion, {
    stdout: stdout ?? '',
    stderr: stderr || (error === undefined ? '' : messageOf(error)),
    status,
    signal,
  });
}
