/** Makes folders and zip files that look like a LibTorch: the files that are looked at, a few bytes each. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** An own folder below the system's temporary one; the caller removes it. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'covidct-native-'));
}

export function writeFiles(folder: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

/** The files of a LibTorch of that version, as the archive (`build-version`) or the wheel (`version.py`) has them. */
export function libtorchFiles(
  version = '2.13.0',
  options: { label?: string; cuda?: string; wheel?: boolean } = {},
): Record<string, string> {
  const [major, minor, patch] = version.split('.');
  const files: Record<string, string> = {
    'include/ATen/ATen.h': '// ATen\n',
    'include/torch/csrc/api/include/torch/torch.h': '// torch\n',
    'include/torch/headeronly/version.h':
      `#define TORCH_VERSION_MAJOR ${major}\n#define ` +
      `TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH ${patch}\n`,
    'share/cmake/Torch/TorchConfig.cmake': '# config\n',
    'lib/libtorch_cpu.so': 'cpu',
    'lib/libtorch_cpu.dylib': 'cpu',
  };
  const label =
    options.label ?? `${version}+${options.cuda === undefined ? 'cpu' : `cu${options.cuda.replace('.', '')}`}`;
  if (options.wheel === true)
    files['version.py'] =
      `__version__ = '${label}'\ncuda: Optional[str] = ${options.cuda === undefined ? 'None' : `'${options.cuda}'`}\n`;
  else files['build-version'] = `${label}\n`;
  if (options.cuda !== undefined) files['lib/libtorch_cuda.so'] = 'cuda';
  return files;
}

/** A zip file with those entries, and its SHA-256. Names are written as they are, `..` included. */
export function writeZip(
  file: string,
  files: Readonly<Record<string, string | Buffer>>,
  links: Readonly<Record<string, string>> = {},
): { file: string; sha256: string } {
  const script = [
    'import sys, json, base64, zipfile',
    'job = json.load(sys.stdin)',
    "z = zipfile.ZipFile(job['file'], 'w', zipfile.ZIP_DEFLATED)",
    "[z.writestr(n, base64.b64decode(c)) for n, c in job['files'].items()]",
    'def link(n, to):',
    '    i = zipfile.ZipInfo(n); i.create_system = 3; i.external_attr = 0o120777 << 16; z.writestr(i, to)',
    "[link(n, to) for n, to in job['links'].items()]",
    'z.close()',
  ].join('\n');
  const encoded = Object.fromEntries(
    Object.entries(files).map(([name, content]) => [name, Buffer.from(content).toString('base64')]),
  );
  mkdirSync(dirname(file), { recursive: true });
  execFileSync('python3', ['-c', script], { input: JSON.stringify({ file, files: encoded, links }) });
  return { file, sha256: createHash('sha256').update(readFileSync(file)).digest('hex') };
}

/** Every entry under a top folder, as archives have it. */
export function below(top: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [`${top}/${name}`, content]));
}

/** Puts a program called `python3` into a folder: `script` is the body of a POSIX shell script. */
export function fakePython(folder: string, script: string): void {
  mkdirSync(folder, { recursive: true });
  for (const name of ['python3', 'python'])
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}
