/**
 * The built addon loads in the main thread and in worker threads at
 * once, each with an own instance, and they end cleanly.
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const LOADER = resolve(__dirname, '../../../dist/addon/load.js');

/** Loads the addon in three workers and in the main thread, and loads nothing before it is asked to. */
const PROGRAM = `
const { Worker } = require('node:worker_threads');
const { loadNative } = require(${JSON.stringify(LOADER)});
const addons = () => Object.keys(require.cache).filter((file) => file.endsWith('.node')).length;
const before = addons();
const code = 'const { loadNative } = require(' + ${JSON.stringify(JSON.stringify(LOADER))} + '); ' +
  'require("node:worker_threads").parentPort.postMessage(loadNative().info().libtorchVersion);';
const inWorker = () => new Promise((done, fail) => {
  const worker = new Worker(code, { eval: true });
  let answer;
  worker.on('message', (message) => { answer = message; });
  worker.on('error', fail);
  worker.on('exit', (status) => (status === 0 ? done(answer) : fail(new Error('exit ' + status))));
});
Promise.all([inWorker(), inWorker(), inWorker()]).then((workers) => {
  const native = loadNative();
  console.log(JSON.stringify({ before, workers, main: native.info().libtorchVersion, same: native === loadNative() }));
});
`;

test('main thread and three workers', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', PROGRAM], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const { before, workers, main, same } = JSON.parse(stdout) as {
    before: number;
    workers: string[];
    main: string;
    same: boolean;
  };
  expect(main).toMatch(/^2\.\d+\.\d+/);
  expect({ before, workers, same }).toEqual({ before: 0, workers: [main, main, main], same: true });
});

test('a LibTorch newer than the tested ones is used with a warning, once', () => {
  const folder = resolve(LOADER, '../libtorch-folder.js');
  // No such LibTorch exists, so the one that is there is made to count as newer.
  const program = `
require(${JSON.stringify(folder)}).untestedRemark = (version) => 'LibTorch ' + version + ' is newer';
process.on('warning', ({ code, message }) => console.log(JSON.stringify({ code, message })));
const { loadNative } = require(${JSON.stringify(LOADER)});
loadNative();
loadNative();`;
  const { status, stdout } = spawnSync(process.execPath, ['--no-warnings', '-e', program], {
    encoding: 'utf8',
    env: { ...process.env, COVIDCT_TORCH_ADDON: '' },
  });
  expect(status).toBe(0);
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([{ code: 'COVIDCT_UNTESTED_LIBTORCH', message: expect.stringMatching(/^LibTorch 2\.\d+\.\d+ is newer$/) }]);
});
