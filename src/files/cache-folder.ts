/** Where everything that the project keeps for a user lies. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Folder of everything the project keeps for a user: `$XDG_CACHE_HOME/covidct-torch`, by default
 * `~/.cache/covidct-torch`. A relative `XDG_CACHE_HOME` counts as none, by that variable's own rules: it would be
 * another folder in each working folder.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env['XDG_CACHE_HOME'];
  return join(
    base !== undefined && isAbsolute(base) ? base : join(env['HOME'] ?? homedir(), '.cache'),
    'covidct-torch',
  );
}
