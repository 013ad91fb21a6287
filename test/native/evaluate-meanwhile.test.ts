/** An evaluation whose run gets other weights while it is under way leaves the run's metrics alone. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { runCommandLine } from '../../src/cli/program';
import type { Io } from '../../src/cli/io';
import { makePhantoms } from '../../src/data/phantoms/phantoms';
import { RunFolder } from '../../src/train/run-folder';
import { inTemporaryFolder } from '../unit/train/made-up';

/** Runs a command. `onResult` is called when it prints its result. Returns standard error. */
async function covidct(args: readonly string[], onResult: () => void = () => undefined): Promise<string> {
  let said = '';
  const stream = (take: (text: string) => void): Writable =>
    new Writable({
      write: (chunk: Buffer, _, done) => {
        take(chunk.toString());
        done();
      },
    });
  const io: Io = {
    stdout: stream(onResult),
    stderr: stream((text) => (said += text)),
    env: {},
    signal: new AbortController().signal,
    interruptedCode: () => 130,
  };
  expect([await runCommandLine(args, io), said]).toEqual([0, said]);
  return said;
}

test('metrics are kept where the card still names the weights, and not where it names others', async () => {
  await inTemporaryFolder(async (dir) => {
    const [data, out, card] = [join(dir, 'phantoms'), join(dir, 'run'), join(dir, 'run', 'model.json')];
    await makePhantoms(data, { count: 40, size: 64 });
    const quick = ['--arch', 'tiny', '--image-size', '32', '--threads', '1', '--epochs', '1', '--quiet'];
    await covidct(['train', '--data', data, '--out', out, ...quick]);
    const evaluation = ['evaluate', '--model', out, '--data', data, '--split', 'test'];
    const said = await covidct(evaluation, () => {
      const facts = JSON.parse(readFileSync(card, 'utf8')) as { origin: string };
      writeFileSync(card, JSON.stringify({ ...facts, origin: facts.origin.replace('epoch 1', 'epoch 2') }));
    });
    expect(said).toContain('was left as it was: its training has kept other weights meanwhile');
    const run = await RunFolder.open(out);
    expect(Object.keys(await run.metrics())).toEqual(['validation']);
    expect(await covidct(evaluation)).not.toContain('was left as it was');
    expect(Object.keys(await run.metrics()).sort()).toEqual(['test', 'validation']);
  });
});
