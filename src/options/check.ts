/** Turns a zod failure into one readable InvalidOptionError; the one way options enter the library. */
import { z } from 'zod';
import { describeAt, describePath } from '../describe';
import { InvalidOptionError } from '../errors';

/** An optional AbortSignal. */
export const signalSchema = z.custom<AbortSignal>((value) => typeof (value as AbortSignal | null)?.addEventListener === 'function', 'expected an AbortSignal').optional();

/**
 * Checks `value` against `schema` and fills in the defaults.
 *
 * @param schema what is allowed, with defaults
 * @param value what the caller gave
 * @param where the function or option group to name in the message, e.g. `Trainer`
 * @returns the value with defaults filled in
 * @throws InvalidOptionError naming every wrong option, what was expected and what came
 */
export function checkOptions<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => {
    const path = describePath(issue.path);
    const came = issue.code === 'unrecognized_keys' ? '' : `; got ${describeAt(value, issue.path)}`;
    return { path, message: `${issue.message}${came}` };
  });
  const lines = issues.map(({ path, message }) => `  ${path === '' ? '(options)' : path}: ${message}`);
  throw new InvalidOptionError([`${where}: ${issues.length === 1 ? 'an option is' : `${issues.length} options are`} not valid`, ...lines], issues);
}
