/** Finds LibTorch, or fetches it in a checkout, and builds the addon, telling on stderr how far it is. */
const { existsSync } = require('node:fs');
const path = require('node:path');

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;

/**
 * Returns a function that prints progress: one line that is overwritten on a terminal, one for every tenth otherwise.
 */
function reporter(verbose) {
  const { isTTY } = process.stderr;
  let last = '';
  const step = (key, text) => {
    if (!isTTY && key === last) return;
    last = key;
    process.stderr.write(isTTY ? `\r\x1b[K${text}` : `${text}\n`);
  };
  const line = (text) => process.stderr.write(`${isTTY ? '\r\x1b[K' : ''}${text}\n`);
  return (progress) => {
    switch (progress.phase) {
      case 'waiting':
        return line('another process is fetching LibTorch; waiting for it');
      case 'fallback':
        return line(`${progress.reason}\ntaking PyTorch's CPU wheel through pip instead`);
      case 'download': {
        const { receivedBytes, totalBytes } = progress;
        const tenth = totalBytes ? Math.floor((10 * receivedBytes) / totalBytes) : Math.floor(receivedBytes / 2e7);
        return step(
          `download ${tenth}`,
          `fetching LibTorch: ${megabytes(receivedBytes)}${totalBytes ? ` of ${megabytes(totalBytes)}` : ''}`,
        );
      }
      case 'unpack':
        return step(
          `unpack ${Math.floor((4 * progress.done) / progress.total)}`,
          `unpacking LibTorch: ${progress.done} of ${progress.total} files`,
        );
      case 'found':
        return line(
          `LibTorch ${progress.libtorch.version} (${progress.libtorch.variant}) ` +
            `at ${progress.libtorch.root}${progress.remark ? `\n${progress.remark}` : ''}`,
        );
      case 'compile':
        return line(`compiling the addon: ${progress.reason}`);
      case 'build': {
        if (verbose) return line(progress.line);
        const ninja = /^\[\s*(\d+\/\d+|\d+%)\]/.exec(progress.line);
        return ninja ? step(`build ${ninja[1]}`, `compiling the addon: ${ninja[1]}`) : undefined;
      }
      default:
        return undefined;
    }
  };
}

/** Rejects with a CovidCtError that says what is missing and what to do. */
async function setUp({ force = false, verbose = false, jobs } = {}) {
  const { setUpNative } = require(path.resolve(__dirname, '../dist/install/set-up.js'));
  const started = Date.now();
  // An installed package downloads only when `covidct install-libtorch` asks it to, `node-gyp rebuild` included.
  const fetch = existsSync(path.resolve(__dirname, '../src')) ? 'ifMissing' : 'never';
  const { addon, built, origin } = await setUpNative({ fetch, force, jobs, onProgress: reporter(verbose) });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const what = built ? 'built' : origin === 'compiled' ? 'up to date' : `prebuilt (${origin})`;
  console.error(`${what}: ${addon} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
}

module.exports = { setUp };
