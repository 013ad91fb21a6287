/** The per-user cache folder of the library. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Returns the per-user cache folder: `$XDG_CACHE_HOME/covidct-torch`, by default `~/.cache/covidct-torch`. A relative
 * `XDG_CACHE_HOME` is ignored, as the XDG specification requires: it would depend on the working directory.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env['XDG_CACHE_HOME'];
  return join(
    base !== undefined && isAbsolute(base) ? base : join(env['HOME'] ?? homedir(), '.cache'),
    'covidct-torch',
  );
}
