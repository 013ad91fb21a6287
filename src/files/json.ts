/** Reads every JSON file of the library: limits its size, decodes UTF-8, parses, and validates against a schema. */
import { open, stat } from 'node:fs/promises';
import { isUtf8 } from 'node:buffer';
import type { z } from 'zod';
import { describeAt, describePath } from '../text/describe';
import { CovidCtError } from '../errors';
import type { ErrorCode } from '../errors';
import { fileError } from './write';
import { jsonFaultAt } from './json-fault';

/** How a JSON file is read, and what the error says about an invalid one. */
export interface JsonAbout {
  /** Code of the errors thrown. */
  readonly code: ErrorCode;
  /** What the file should be, e.g. `the configuration of a run`. */
  readonly what: string;
  /** Maximum size of the file in bytes; 64 MiB by default. */
  readonly maxBytes?: number;
  /** What to do about an invalid file: a clause that ends the message; none by default. */
  readonly advice?: string;
  /** Whether a pipe is accepted too, for files that a user names (`<(command)`). */
  readonly pipes?: boolean;
}

/** Default maximum size of a JSON file in bytes. */
const MAX_BYTES = 64 * 1024 ** 2;
/**
 * Maximum nesting of objects and lists. No real configuration is deeper, and deeper input would overflow the stack
 * of the recursive code that reads it later.
 */
const MAX_DEPTH = 100;
const CHUNK = 1024 ** 2;

function refuse(where: string, reason: string, { code, what, advice }: JsonAbout, cause?: unknown): never {
  throw new CovidCtError(code, `${where}: expected ${what}: ${reason}${advice === undefined ? '' : `; ${advice}`}`, {
    cause,
  });
}

async function readBytes(path: string, about: JsonAbout): Promise<Buffer> {
  const most = about.maxBytes ?? MAX_BYTES;
  // stat comes before open because opening a pipe blocks until it has a writer.
  const info = await stat(path);
  const isPipe = about.pipes === true && (info.isFIFO() || info.isCharacterDevice() || info.isSocket());
  if (!info.isFile() && !isPipe) refuse(path, info.isDirectory() ? 'it is a folder' : 'it is not a file', about);
  if (info.size > most) refuse(path, `it has ${info.size} bytes, more than ${most}`, about);
  const file = await open(path, 'r');
  try {
    const parts: Buffer[] = [];
    for (let size = 0; ;) {
      const { bytesRead, buffer } = await file.read(
        Buffer.allocUnsafe(Math.min(CHUNK, Math.max(info.size, 4096) + 1)),
        0,
        null,
        null,
      );
      if (bytesRead === 0) return Buffer.concat(parts);
      size += bytesRead;
      if (size > most) refuse(path, `it has more than ${most} bytes`, about);
      parts.push(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/**
 * Reads a text file as UTF-8 without its byte-order mark.
 *
 * @throws CovidCtError with the code of `about` when it is missing, too large or not UTF-8
 */
export async function readText(path: string, about: JsonAbout): Promise<string> {
  const text = await readTextIfThere(path, about);
  return text ?? refuse(path, 'it does not exist', about);
}

/** Like {@link readText}, but returns null when the file does not exist. */
export async function readTextIfThere(path: string, about: JsonAbout): Promise<string | null> {
  try {
    return decodeText(await readBytes(path, about), path, about);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw fileError(`read ${about.what}`, path, error, about.code);
  }
}

/** Decodes UTF-8 and drops the byte-order mark. Throws CovidCtError for bytes that are not UTF-8. */
export function decodeText(bytes: Uint8Array, path: string, about: JsonAbout): string {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    refuse(path, 'it is UTF-16; store it as UTF-8', about);
  if (!isUtf8(bytes)) refuse(path, 'it is not UTF-8', about);
  return new TextDecoder('utf-8').decode(bytes); // drops the byte-order mark
}

/** Converts an index into a text to a line and a column, both from 1. */
function placeOf(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at);
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') };
}

/** Scans valid JSON character by character: a regular expression would overflow its stack on long strings. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (inString) {
      if (character === '\\') at += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

function parseText(text: string, path: string, about: JsonAbout, firstLine: number | undefined): unknown {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const { at, expected, found } = jsonFaultAt(text);
    const { line, column } = placeOf(text, at);
    const where = `${path}:${line + (firstLine ?? 1) - 1}:${column}`;
    return refuse(
      where,
      text.trim() === '' ? 'it is empty' : `it is not JSON here: expected ${expected}, got ${found}`,
      about,
      error,
    );
  }
  // A shorter text cannot nest that deep, so it need not be scanned.
  if (text.length > MAX_DEPTH && isTooDeep(text))
    refuse(
      firstLine === undefined ? path : `${path}:${firstLine}`,
      `its objects and lists are nested more than ${MAX_DEPTH} deep`,
      about,
    );
  return json;
}

/**
 * Parses JSON and validates it against a schema.
 *
 * @param path the file, for messages
 * @param line the line number in the file, where the text is a single line of it (JSON Lines)
 * @returns the value, with the schema's defaults
 * @throws CovidCtError with the code of `about`, naming the file, the position of a syntax error, or the key of an
 *   invalid value
 */
export function parseJson<S extends z.ZodType>(
  text: string,
  schema: S,
  path: string,
  about: JsonAbout,
  line?: number,
): z.output<S> {
  const json = parseText(text, path, about, line);
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const where = line === undefined ? path : `${path}:${line}`;
  const issues = result.error.issues.slice(0, 3).map((issue) => {
    const key = describePath(issue.path);
    const got = issue.code === 'unrecognized_keys' ? '' : `, got ${describeAt(json, issue.path)}`;
    const expected = issue.message.replace(/^Invalid input: (.*), received .*$/, '$1');
    return `${key === '' ? '' : `"${key}": `}${expected}${got}`;
  });
  const more = result.error.issues.length - issues.length;
  return refuse(where, `${issues.join('; ')}${more > 0 ? ` (and ${more} more)` : ''}`, about, result.error);
}

/**
 * Reads a JSON file and validates it against a schema.
 *
 * @throws CovidCtError as {@link parseJson}, also when the file is missing or too large
 */
export async function readJson<S extends z.ZodType>(path: string, schema: S, about: JsonAbout): Promise<z.output<S>> {
  return parseJson(await readText(path, about), schema, path, about);
}

/** Like {@link readJson}, but returns null when the file does not exist. */
export async function readJsonIfThere<S extends z.ZodType>(
  path: string,
  schema: S,
  about: JsonAbout,
): Promise<z.output<S> | null> {
  const text = await readTextIfThere(path, about);
  return text === null ? null : parseJson(text, schema, path, about);
}
