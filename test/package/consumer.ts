/** A project that has the package installed as npm would install it, without npm's network. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

export const ROOT = resolve(__dirname, '../..');
export const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
  bin: { covidct: string };
};

export interface Consumer {
  folder: string;
  /** The names of the files that were packed. */
  packed: string[];
  /** Runs node there; on a machine that has no LibTorch, no Python and no compiler unless `env` says otherwise. */
  node(args: string[], env?: NodeJS.ProcessEnv): { status: number | null; stdout: string; stderr: string };
  remove(): void;
}

/** Packs the checkout and unpacks it into a new project; the dependencies are the checkout's own. */
export function makeConsumer(): Consumer {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'covidct-consumer-')));
  const output = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [pack] = JSON.parse(output) as [{ filename: string; files: { path: string }[] }];
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, 'covidct-torch'), { recursive: true });
  execFileSync('tar', [
    '-xzf',
    join(folder, pack.filename),
    '--strip-components=1',
    '-C',
    join(modules, 'covidct-torch'),
  ]);
  for (const name of Object.keys(manifest.dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  writeFileSync(join(folder, 'package.json'), '{ "name": "consumer", "private": true }');
  return {
    folder,
    packed: pack.files.map(({ path }) => path),
    node: (
      args,
      env = { PATH: join(folder, 'nothing'), HOME: join(folder, 'home'), XDG_CACHE_HOME: join(folder, 'cache') },
    ) => spawnSync(process.execPath, args, { cwd: folder, env, encoding: 'utf8' }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
