/**
 * Keeps a fuzzed process from starting others, from the network, and
 * from writing outside of its own folder; and tells of it.
 */
const { resolve, sep } = require('node:path');
const { fileURLToPath } = require('node:url');

const WRITERS = [
  'writeFile',
  'appendFile',
  'mkdir',
  'mkdtemp',
  'rename',
  'rm',
  'rmdir',
  'unlink',
  'copyFile',
  'cp',
  'link',
  'symlink',
  'truncate',
  'chmod',
  'utimes',
];
/** Those that name the place they write to second. */
const SECOND = new Set(['rename', 'copyFile', 'cp', 'link', 'symlink']);

/**
 * @param root the folder in which may be written
 * @param tell called with what was tried
 */
exports.guard = (root, tell) => {
  const refuse = (what) => {
    tell(what);
    throw new Error(`guarded: ${what}`);
  };
  const check = (name, place) => {
    if (typeof place !== 'string' && !(place instanceof URL) && !Buffer.isBuffer(place)) return;
    const path = resolve(place instanceof URL ? fileURLToPath(place) : String(place));
    if (path !== root && !path.startsWith(root + sep) && path !== '/dev/null') refuse(`${name} ${path.slice(0, 200)}`);
  };
  const isWrite = (flags) =>
    typeof flags === 'string' ? /[wa+]/.test(flags) : typeof flags === 'number' && (flags & 3) !== 0;
  for (const fs of [require('node:fs'), require('node:fs/promises')]) {
    for (const base of WRITERS) {
      for (const name of [base, `${base}Sync`]) {
        const original = fs[name];
        if (typeof original !== 'function') continue;
        fs[name] = function guarded(...args) {
          check(name, args[SECOND.has(base) ? 1 : 0]);
          return original.apply(this, args);
        };
      }
    }
    for (const name of ['open', 'openSync', 'createWriteStream']) {
      const original = fs[name];
      if (typeof original !== 'function') continue;
      fs[name] = function guarded(...args) {
        if (name === 'createWriteStream' || isWrite(args[1])) check(name, args[0]);
        return original.apply(this, args);
      };
    }
  }
  const processes = require('node:child_process');
  for (const name of ['spawn', 'spawnSync', 'exec', 'execSync', 'execFile', 'execFileSync', 'fork'])
    processes[name] = (command) => refuse(`${name} ${String(command).slice(0, 100)}`);
  for (const [module, names] of [
    ['node:http', ['request', 'get']],
    ['node:https', ['request', 'get']],
    ['node:net', ['connect', 'createConnection']],
    ['node:tls', ['connect']],
  ]) {
    for (const name of names) require(module)[name] = () => refuse(`${module}.${name}`);
  }
  globalThis.fetch = (url) => refuse(`fetch ${String(url).slice(0, 100)}`);
};
