/**
 * The one way in which arguments and options enter the library: a zod failure becomes one readable InvalidOptionError.
 */
import { types } from 'node:util';
import { z } from 'zod';
import { describeAt, describePath, describeValue } from '../text/describe';
import { InvalidOptionError, messageOf } from '../errors';

/** An optional AbortSignal; a look-alike would fail later, inside of what takes it. */
export const signalSchema = z
  .custom<AbortSignal>(
    (value) => value instanceof AbortSignal && typeof value.aborted === 'boolean',
    'expected an AbortSignal',
  )
  .optional();

/** Options that are a signal and nothing else. */
export const signalOptionsSchema = z.strictObject({ signal: signalSchema });

/** Lines of a message; a list of a million wrong entries is one mistake. */
const MOST_LINES = 20;
/** Characters of a line; the names of a million unknown keys are one mistake, too. */
const MOST_CHARACTERS = 1000;
/** Entries that no list of this library has. */
const MOST_ENTRIES = 2 ** 24;
/** A list that is longer than this is looked at in some places before every entry is. */
const LONG = 10_000;

interface Issue {
  readonly path: string;
  readonly message: string;
}

/** A list that nobody wrote: looking at each of its entries would take hours, or all memory. */
function listFault(value: unknown): string | null {
  if (!Array.isArray(value)) return null;
  const { length } = value;
  if (length > MOST_ENTRIES) return `expected a list of at most ${MOST_ENTRIES} entries; got ${describeValue(value)}`;
  if (length <= LONG || [0, length >> 1, length - 1].every((index) => Object.hasOwn(value, index))) return null;
  return 'expected a list without holes; got one with holes';
}

/** The same of a value and what it holds directly. */
function sizeFault(value: unknown): Issue | null {
  const own = listFault(value);
  if (own !== null) return { path: '', message: own };
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return null;
  for (const [key, { value: entry }] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
    const fault = listFault(entry);
    if (fault !== null) return { path: describePath([key]), message: fault };
  }
  return null;
}

function inspectIssues(schema: z.ZodType, value: unknown): { readonly data: unknown } | { readonly issues: Issue[] } {
  try {
    const size = sizeFault(value);
    if (size !== null) return { issues: [size] };
    const result = schema.safeParse(value);
    if (result.success) return { data: result.data };
    return {
      issues: result.error.issues.slice(0, MOST_LINES).map((issue) => {
        const actual = issue.code === 'unrecognized_keys' ? '' : `; got ${describeAt(value, issue.path)}`;
        return {
          path: describePath(issue.path),
          message: `${shortened(issue.message.replace(/, received [^,]*$/, ''))}${actual}`,
        };
      }),
    };
  } catch (error) {
    // A getter or a Proxy of the caller's has thrown.
    return { issues: [{ path: '', message: `it cannot be read: ${describeValue(safeMessage(error))}` }] };
  }
}

function shortened(message: string): string {
  return message.length > MOST_CHARACTERS ? `${message.slice(0, MOST_CHARACTERS)}...` : message;
}

function safeMessage(error: unknown): string {
  try {
    return messageOf(error);
  } catch {
    return 'it throws something that cannot be described';
  }
}

/**
 * An object of the language without options of its own, e.g. a promise
 * that was not awaited; its keys would pass for none.
 */
function isBuiltIn(value: unknown): boolean {
  return (
    types.isRegExp(value) ||
    types.isDate(value) ||
    types.isMap(value) ||
    types.isSet(value) ||
    types.isPromise(value) ||
    types.isNativeError(value) ||
    types.isBoxedPrimitive(value)
  );
}

/**
 * Checks a group of options against `schema` and fills in the defaults.
 *
 * @param schema what is allowed, with defaults
 * @param value what the caller gave
 * @param where the function or option group to name in the message, e.g. `Trainer`
 * @returns the value with defaults filled in
 * @throws InvalidOptionError naming every wrong option, what was expected and what was given
 */
export function checkOptions<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = isBuiltIn(value)
    ? { issues: [{ path: '', message: `expected an object of options; got ${describeValue(value)}` }] }
    : inspectIssues(schema, value);
  if ('data' in result) return result.data as z.output<S>;
  const { issues } = result;
  const lines = issues.map(({ path, message }) => `  ${path === '' ? '(options)' : path}: ${message}`);
  throw new InvalidOptionError(
    [`${where}: ${issues.length === 1 ? 'an option is' : `${issues.length} options are`} not valid`, ...lines],
    issues,
  );
}

/**
 * Checks one argument against `schema`.
 *
 * @param schema what is allowed
 * @param value what the caller gave
 * @param where the function to name in the message, e.g. `predict`
 * @param name the argument to name, e.g. `sources`
 * @returns the value as the schema returns it
 * @throws InvalidOptionError: `predict: sources: expected ...; got ...`
 */
export function checkArgument<S extends z.ZodType>(
  schema: S,
  value: unknown,
  where: string,
  name: string,
): z.output<S> {
  const result = inspectIssues(schema, value);
  if ('data' in result) return result.data as z.output<S>;
  const issues = result.issues.map(({ path, message }) => ({
    path: path === '' || path.startsWith('[') ? `${name}${path}` : `${name}.${path}`,
    message,
  }));
  throw new InvalidOptionError(
    `${where}: ${issues.map(({ path, message }) => `${path}: ${message}`).join('; ')}`,
    issues,
  );
}
