/** `covidct doctor`: what is there, what is missing, and what to do about it. */
import type { Command } from 'commander';
import { diagnose, imageLibraryVersions } from '../index';
import type { Diagnosis } from '../index';
import { EXIT } from './exit-codes';
import { print, printJson } from './io';
import type { Io, OutputFlags } from './io';

/** Adds the command. */
export function addDoctor(program: Command, run: (work: (io: Io) => Promise<number>) => Promise<void>): void {
  program.command('doctor').summary('check Node, LibTorch, the addon and the GPU').description('Shows what the library runs on, and what is wrong with the remedy. Exit code 3 when the native part cannot be used.')
    .option('--json', 'write one JSON object to standard output')
    .addHelpText('after', '\nExamples:\n  $ covidct doctor\n  $ covidct doctor --json')
    .action((flags: OutputFlags) => run((io) => doctor(flags, io)));
}

async function doctor(flags: OutputFlags, io: Io): Promise<number> {
  const diagnosis = await diagnose();
  if (flags.json === true) printJson(io, { ...diagnosis, images: imageLibraryVersions() });
  else print(io, inWords(diagnosis));
  return diagnosis.native === undefined ? EXIT.native : EXIT.ok;
}

function inWords({ package: own, node, platform, libtorch, libtorchTried, addon, native, tools, problems }: Diagnosis): string {
  const tool = (name: keyof typeof tools): string => `${name} ${tools[name] === undefined ? 'not found' : tools[name].version}`;
  const lines = [
    `covidct-torch  ${own.version} (${own.root})`,
    `Node           ${node.version}, Node-API ${node.napi}`,
    `platform       ${platform.os}-${platform.arch}${platform.glibc === undefined ? '' : `, glibc ${platform.glibc}`}`,
    `LibTorch       ${libtorch === undefined ? 'not found' : `${libtorch.version} (${libtorch.variant}), ${libtorch.root}`}`,
    ...libtorchTried.map(({ path, reason }) => `                 ${path}: ${reason}`),
    `addon          ${addon === undefined ? 'not built' : `${addon.path}: ${addon.built ? (addon.loads ? 'loads' : 'does not load') : 'not built'}${addon.upToDate ? '' : ', out of date'}`}`,
  ];
  if (native !== undefined) {
    lines.push(`CPU            ${native.cpuCapability}, ${native.threads} threads`);
    lines.push(`GPU            ${native.cudaDevices.length > 0 ? native.cudaDevices.join(', ') : native.cudaBuilt ? 'none found' : 'none: this LibTorch is for the CPU'}`);
  }
  lines.push(`images         ${Object.entries(imageLibraryVersions()).map(([name, version]) => `${name} ${version}`).join(', ')}`);
  lines.push(`build tools    ${(['compiler', 'cmake', 'ninja', 'python'] as const).map(tool).join(', ')}`);
  lines.push('', ...(problems.length === 0 ? ['Nothing is wrong.'] : problems.map(({ what, remedy }) => `Problem: ${what}\n  remedy: ${remedy}`)));
  return lines.join('\n');
}
