import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { CovidCtError } from '../../../src/errors';
import { parseJson, readJson, readJsonIfThere, readText } from '../../../src/files/json';
import { jsonFaultAt } from '../../../src/files/json-fault';

const dir = mkdtempSync(join(tmpdir(), 'covidct-json-'));
afterAll(() => rmSync(dir, { recursive: true }));
const schema = z.looseObject({ name: z.string(), list: z.array(z.number()).optional() });
const about = { code: 'ERR_RUN_FOLDER', what: 'a thing' } as const;

function fileOf(content: string | Uint8Array): string {
  const file = join(dir, 'x.json');
  writeFileSync(file, content);
  return file;
}

async function refused(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CovidCtError);
  expect((error as CovidCtError).code).toBe('ERR_RUN_FOLDER');
  return (error as CovidCtError).message;
}

test('a byte-order mark is no part of the text; keys that are not known are let through', async () => {
  expect(await readJson(fileOf('\ufeff{"name": "é", "later": 1}'), schema, about)).toEqual({ name: 'é', later: 1 });
  expect(await readText(fileOf('\ufeffa,b'), about)).toBe('a,b');
});

test.each<[string, string | Uint8Array, RegExp]>([
  ['empty', '', /x\.json:1:1: expected a thing: it is empty$/],
  ['cut off', '{\n  "name": "x",\n', /x\.json:3:1: .*expected a name in double quotes, got the end of the text/],
  ['a comma too many', '{\n  "list": [1,]}', /x\.json:2:14: .*expected a value, got "\]"/],
  ['single quotes', "{'name': 1}", /x\.json:1:2: .*expected a name in double quotes or "}", got "'"/],
  ['text after the end', '{} x', /x\.json:1:4: .*expected the end, got "x"/],
  ['another type', '{"name": 3}', /x\.json: .*"name": expected string, got 3$/],
  ['within a list', '{"name": "", "list": [1, null]}', /"list\[1\]": expected number, got null/],
  ['no object', '[]', /: expected object, got \[\]/],
  ['UTF-16', Buffer.from('\ufeff{"name":"x"}', 'utf16le'), /UTF-16/],
  ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /not UTF-8/],
  ['too deep', `{"name": "", "x": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`, /nested more than 100 deep/],
])('%s: the file, the place and what was expected are named', async (_, content, wanted) => {
  expect(await refused(readJson(fileOf(content), schema, about))).toMatch(wanted);
});

test('missing, a folder, too large', async () => {
  expect(await refused(readJson(join(dir, 'none.json'), schema, about))).toMatch(
    /none\.json: expected a thing: it does not exist/,
  );
  expect(await readJsonIfThere(join(dir, 'none.json'), schema, about)).toBeNull();
  expect(await refused(readJson(dir, schema, about))).toMatch(/it is a folder/);
  expect(await refused(readJson(fileOf(`"${'x'.repeat(100)}"`), schema, { ...about, maxBytes: 50 }))).toMatch(
    /102 bytes, more than 50/,
  );
});

test('a pipe without a writer is refused, not waited for', async () => {
  const pipe = join(dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  expect(await refused(readJson(pipe, schema, about))).toMatch(/it is not a file/);
});

test('a line of many is named', () => {
  expect(() => parseJson('{"name": 3}', schema, 'h.jsonl', about, 7)).toThrow(
    /^h\.jsonl:7: .*"name": expected string, got 3/,
  );
  expect(() => parseJson('{"name"', schema, 'h.jsonl', about, 7)).toThrow(/^h\.jsonl:7:8: .*expected ":", got the end/);
});

test('deep brackets within strings are no depth', () => {
  expect(parseJson(JSON.stringify({ name: `\\"${'['.repeat(200)}` }), schema, 'x', about).name).toHaveLength(202);
});

test('the place of a fault is where JSON.parse stops: every prefix and every changed character', () => {
  const text = '{"a": [1, -2.5e3, true, null, "x\\u00e9\\n"], "b": {"c": {}, "d": []}}';
  for (let cut = 0; cut < text.length; cut += 1) expect(jsonFaultAt(text.slice(0, cut)).at).toBeLessThanOrEqual(cut);
  let checked = 0;
  for (let at = 0; at < text.length; at += 1) {
    for (const wrong of ['}', ']', '"', ',', ':', 'x', '\u0001']) {
      const changed = text.slice(0, at) + wrong + text.slice(at + 1);
      let message = '';
      try {
        JSON.parse(changed);
      } catch (error) {
        message = (error as Error).message;
      }
      if (message === '') continue;
      expect(jsonFaultAt(changed).at).toBeLessThanOrEqual(changed.length);
      checked += 1;
    }
  }
  expect(checked).toBeGreaterThan(300);
});
