/** Metrics as the report words them. */

/** What stands where a metric is not defined. */
export const NOT_DEFINED = 'not defined';

/** A share with three decimals. */
export function share(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? NOT_DEFINED : value.toFixed(3);
}

/** An interval with three decimals, an en dash between. */
export function interval(bounds: readonly [number, number] | null): string {
  return bounds === null ? '' : `${bounds[0].toFixed(3)}–${bounds[1].toFixed(3)}`;
}

/** `test` as `test split`; a name that says so already stays as it is. */
export function splitName(split: string): string {
  return /split|set|data/i.test(split) ? split : `${split} split`;
}

/** Class names can be long; the chart shows their beginning. */
export function shortName(name: string, letters = 16): string {
  return name.length > letters ? `${name.slice(0, letters - 1)}…` : name;
}
