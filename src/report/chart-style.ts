/** The charts' common look. */

/** Few colors, distinct in gray and for the color-blind; the HTML's dark style maps each of them. */
export const PALETTE = {
  ink: '#1d232b',
  muted: '#5b6570',
  grid: '#e3e6ea',
  paper: '#ffffff',
  first: '#1f5a94',
  second: '#b4532a',
  others: ['#1f5a94', '#b4532a', '#3f7d4e', '#7a4d8c', '#8a6d1a', '#4a7f86'],
  /** From no to all samples of a row. */
  scale: ['#f3f6fa', '#9dbbd8', '#1f5a94'],
} as const;

/** One of these is on nearly every machine; unquoted, for the list stands inside a quoted attribute. */
export const FONT_FAMILY = 'Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif';

/** A finished chart. */
export interface Chart {
  /** Name for files and ids: lower case and dashes. */
  readonly name: string;
  readonly title: string;
  /** A whole SVG document, the same for the same input. */
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

/** A value axis with a title, as all charts have it. */
export function valueAxis(name: string, gap: number, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    type: 'value',
    name,
    nameLocation: 'middle',
    nameGap: gap,
    nameTextStyle: { color: PALETTE.ink, fontSize: 13 },
    axisLine: { show: true, onZero: false, lineStyle: { color: PALETTE.ink } },
    axisTick: { show: true, lineStyle: { color: PALETTE.ink } },
    axisLabel: { color: PALETTE.ink, fontSize: 12 },
    splitLine: { show: true, lineStyle: { color: PALETTE.grid } },
    ...more,
  };
}

/** A legend above the drawing. */
export function legend(names: readonly string[]): Record<string, unknown> {
  return {
    data: names.map((name) => ({ name })),
    top: 34,
    left: 'center',
    itemWidth: 26,
    itemHeight: 9,
    itemGap: 18,
    textStyle: { color: PALETTE.ink, fontSize: 12 },
  };
}

/** A sentence in the middle of a drawing that has nothing to show. */
export function emptyNote(text: string): Record<string, unknown> {
  return {
    type: 'text',
    left: 'center',
    top: 'middle',
    silent: true,
    style: { text, fill: PALETTE.muted, fontSize: 14, fontFamily: FONT_FAMILY, textAlign: 'center' },
  };
}
