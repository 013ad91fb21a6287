/** Finds the compiler and cmake that a build needs, and says what to install where one is missing. */
import { spawnSync } from 'node:child_process';
import { CovidCtError } from '../errors';
import { compareVersions } from '../addon/libtorch-folder';

/** The oldest cmake that CMakeLists.txt accepts. */
const OLDEST_CMAKE = '3.21.0';

/** A program that was found: the command and what it says of itself. */
export interface Tool {
  command: string;
  version: string;
}

/** Runs `<command> --version`; undefined when it cannot be run. */
export function findTool(commands: readonly string[], env: NodeJS.ProcessEnv = process.env): Tool | undefined {
  for (const command of commands) {
    const run = spawnSync(command, ['--version'], { env, encoding: 'utf8', timeout: 20_000, windowsHide: true });
    if (run.error === undefined && run.status === 0)
      return { command, version: (run.stdout || run.stderr).trim().split('\n')[0] ?? '' };
  }
  return undefined;
}

/** The C++ compiler cmake will take: `CXX`, else the usual names. */
export function findCompiler(env: NodeJS.ProcessEnv = process.env): Tool | undefined {
  const chosen = env['CXX'];
  return findTool(
    chosen !== undefined && chosen !== '' ? [chosen.split(' ')[0] ?? chosen] : ['c++', 'g++', 'clang++'],
    env,
  );
}

/** How to get a compiler and cmake on this platform. */
export function installAdvice(platform: NodeJS.Platform = process.platform): string {
  if (platform === 'darwin') return 'Install them with `xcode-select --install` and `brew install cmake`.';
  return (
    'Install them, e.g. `sudo apt-get install g++ cmake` (Debian, Ubuntu) or ' +
    '`sudo dnf install gcc-c++ cmake` (Fedora); `python3 -m pip install cmake` gives a cmake without root.'
  );
}

/** What is missing for a build, in words; empty when nothing is. */
export function missingTools(env: NodeJS.ProcessEnv = process.env): string[] {
  const missing: string[] = [];
  const compiler = findCompiler(env);
  const cmake = findTool(['cmake'], env);
  if (compiler === undefined)
    missing.push(
      env['CXX'] ? `the C++ compiler that CXX names (${env['CXX']})` : 'a C++20 compiler (c++, g++ or clang++)',
    );
  if (cmake === undefined) missing.push(`cmake ${OLDEST_CMAKE} or newer`);
  else {
    const version = /(\d+\.\d+\.\d+)/.exec(cmake.version)?.[1];
    if (version !== undefined && compareVersions(version, OLDEST_CMAKE) < 0)
      missing.push(`cmake ${OLDEST_CMAKE} or newer (there is ${version})`);
  }
  return missing;
}

/** Throws ERR_BUILD_FAILED naming every tool that is missing and how to install it. */
export function checkTools(env: NodeJS.ProcessEnv = process.env): void {
  const missing = missingTools(env);
  if (missing.length > 0)
    throw new CovidCtError(
      'ERR_BUILD_FAILED',
      `the addon cannot be built: not found on PATH: ${missing.join('; ')}. ${installAdvice()}`,
    );
}
