/**
 * Serves predictions over HTTP on a free port of this machine, asks for one and closes.
 *
 *   node examples/serve.mjs [MODEL [PICTURE]]
 *
 * MODEL is a run folder or a model folder, e.g. what examples/train.mjs wrote. A service of your own leaves out the
 * client below, and checks who asks: see SECURITY.md.
 */
// @ts-check
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { BadImageError, Classifier } from 'covidct-torch';

const [folder = 'runs/example', picture = 'phantoms/Images-processed/CT_COVID/phantom-covid-0001.png'] =
  process.argv.slice(2);

// One classifier serves all requests: its work is queued on a thread of its own, so the event loop stays free.
const model = await Classifier.load(folder, { device: 'cpu', threads: 1 });

/** Status and body for the image in the body of a request, which is read as a stream and up to a limit of bytes. */
async function handle(/** @type {import('node:http').IncomingMessage} */ request, /** @type {AbortSignal} */ signal) {
  try {
    const [prediction] = await model.predict(request, { maxFileBytes: 8 * 1024 ** 2, signal });
    return { status: 200, body: prediction };
  } catch (error) {
    if (error instanceof BadImageError) return { status: 400, body: { error: error.message } };
    console.error(error);
    return { status: 500, body: { error: 'the prediction failed' } };
  }
}

const server = createServer((request, response) => {
  const gone = new AbortController();
  response.on('close', () => gone.abort()); // nobody waits for the response any more
  void handle(request, gone.signal).then(({ status, body }) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
const address = server.address();
const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`;
console.log(`listening on ${url}`);

for (const body of [await readFile(picture), 'this is no image']) {
  const response = await fetch(url, { method: 'POST', body });
  console.log(response.status, await response.text());
}

server.close();
server.closeAllConnections();
model.dispose();
