/** `covidct install-libtorch`: fetches LibTorch where there is none and provides the addon for it. */
import type { Command } from 'commander';
import { setUpNative } from '../install/index';
import { EXIT } from './exit-codes';
import { number } from './flags';
import { note, print, printJson, progressLine } from './io';
import type { Io, OutputFlags } from './io';

interface Flags extends OutputFlags {
  readonly fetch?: 'always';
  readonly force?: boolean;
  readonly jobs?: number;
  readonly sha256?: string;
}

type Progress = Parameters<NonNullable<NonNullable<Parameters<typeof setUpNative>[0]>['onProgress']>>[0];

const EXAMPLES = `
Examples:
  $ covidct install-libtorch
  $ covidct install-libtorch --force      after a change of compiler or C++ sources

LibTorch goes into a cache of the user's and is fetched once. A LibTorch that is there already (COVIDCT_TORCH_LIBTORCH,
LIBTORCH, Torch_DIR, Python's torch) is used instead. Running again takes up what was stopped.`;

/** Adds the command. */
export function addInstallLibTorch(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  program
    .command('install-libtorch')
    .summary('fetch LibTorch and provide the addon')
    .description(
      'Makes the native part usable: finds or fetches LibTorch, then takes the prebuilt addon for it, or compiles one.',
    )
    .option('--fetch-always', 'fetch LibTorch into the cache even where another one is found')
    .option('--force', 'compile the addon from nothing, also where a prebuilt one would do')
    .option('--sha256 <hex>', "SHA-256 of the wheel to take from pip, where it is none of PyTorch's known ones")
    .option('--jobs <n>', 'compiler processes at once (default: 2)', number)
    .option('--json', 'write one JSON object to standard output')
    .option('--quiet', 'say nothing but errors')
    .addHelpText('after', EXAMPLES)
    .action(({ fetchAlways, ...flags }: Flags & { fetchAlways?: boolean }) =>
      run((io) => install({ ...flags, fetch: fetchAlways === true ? 'always' : undefined }, io)),
    );
}

async function install(flags: Flags, io: Io): Promise<number> {
  const line = progressLine(io, flags);
  const onProgress = (progress: Progress): void => {
    const text = inWords(progress);
    if (
      progress.phase === 'fallback' ||
      progress.phase === 'found' ||
      progress.phase === 'compile' ||
      progress.phase === 'waiting'
    ) {
      line.clear();
      note(io, flags, text);
    }
    // What was shown once goes on, and minutes may pass until there is something new to show.
    line.show([text].flat().at(-1)!, shareOf(progress));
  };
  const { fetch, force, jobs, sha256: wheelSha256 } = flags;
  const result = await setUpNative({ fetch, force, jobs, wheelSha256, onProgress, signal: io.signal }).finally(() =>
    line.clear(),
  );
  if (flags.json === true) printJson(io, result);
  else if (flags.quiet !== true)
    print(io, [
      `LibTorch ${result.libtorch.version} (${result.libtorch.variant}) ` +
        `in ${result.libtorch.root}${result.installed ? ', fetched just now' : ''}`,
      `addon ${result.addon}, ${addonInWords(result)}`,
    ]);
  return EXIT.ok;
}

function shareOf(progress: Progress): number | undefined {
  if (progress.phase === 'download')
    return progress.totalBytes === undefined ? undefined : progress.receivedBytes / progress.totalBytes;
  return progress.phase === 'unpack' ? progress.done / progress.total : undefined;
}

function addonInWords({ built, origin }: { built: boolean; origin: string }): string {
  if (origin !== 'compiled') return `prebuilt: ${origin}`;
  return built ? 'compiled just now' : 'compiled before';
}

function inWords(progress: Progress): string | [string, string] {
  const megabytes = (count: number): string => `${(count / 1e6).toFixed(0)} MB`;
  switch (progress.phase) {
    case 'waiting':
      return 'another process is fetching LibTorch; waiting for it';
    case 'fallback':
      return [progress.reason, "taking PyTorch's CPU wheel through pip instead"];
    case 'download': {
      const { receivedBytes, totalBytes } = progress;
      const total = totalBytes === undefined ? '' : ` of ${megabytes(totalBytes)}`;
      return `fetching LibTorch: ${megabytes(receivedBytes)}${total}`;
    }
    case 'unpack':
      return `unpacking LibTorch: ${progress.done} of ${progress.total} files`;
    case 'found': {
      const {
        libtorch: { version, variant, root },
        remark,
      } = progress;
      const found = `LibTorch ${version} (${variant}) at ${root}`;
      return remark === undefined ? found : [remark, found];
    }
    case 'compile':
      return `compiling the addon: ${progress.reason}`;
    case 'build':
      return `compiling the addon: ${progress.line.slice(0, 60)}`;
  }
}
