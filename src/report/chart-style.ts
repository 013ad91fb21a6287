/** The charts' common look, and the one place where ECharts draws: an option in, a clean SVG out. */
import { createRequire } from 'node:module';
import type * as ECharts from 'echarts';
import { withoutForbidden } from './escape';

type EChartsOption = ECharts.EChartsOption;

/** Few colours, distinct in grey and for the colour-blind; the HTML's dark style maps each of them. */
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
  return { data: names.map((name) => ({ name })), top: 34, left: 'center', itemWidth: 26, itemHeight: 9, itemGap: 18, textStyle: { color: PALETTE.ink, fontSize: 12 } };
}

/** A sentence in the middle of a drawing that has nothing to show. */
export function emptyNote(text: string): Record<string, unknown> {
  return { type: 'text', left: 'center', top: 'middle', silent: true, style: { text, fill: PALETTE.muted, fontSize: 14, fontFamily: FONT_FAMILY, textAlign: 'center' } };
}

/** What is of no use outside a browser: hover styles, their classes, data attributes; and ids that count charts. */
function clean(svg: string, name: string): string {
  return svg
    .replace(/<style[^>]*>[\s\S]*?<\/style>/g, '')
    .replace(/ (?:class|ecmeta_\w+|pointer-events)="[^"]*"/g, '')
    .replace(/zr\d+-/g, `${name}-`)
    // Renderers differ in `dominant-baseline`; a shift in em is the same everywhere.
    .replace(/ dominant-baseline="central"/g, ' dy="0.35em"')
    .replace(/\n\s*\n+/g, '\n');
}

/**
 * Draws an option. The same option gives the same text, byte for byte.
 *
 * @param size in pixels
 */
export function drawChart(name: string, title: string, size: { width: number; height: number }, option: EChartsOption): Chart {
  // Loaded with the first chart: importing the package should not cost a charting library.
  const { init } = createRequire(__filename)('echarts') as typeof ECharts;
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: PALETTE.paper,
      textStyle: { fontFamily: FONT_FAMILY, color: PALETTE.ink },
      title: { text: title, left: 'center', top: 8, textStyle: { color: PALETTE.ink, fontSize: 15, fontWeight: 600 } },
      ...option,
    });
    return { name, title, svg: clean(withoutForbidden(chart.renderToSVGString()), name), ...size };
  } finally {
    // An undisposed chart keeps a timer, and with it the process, alive.
    chart.dispose();
  }
}
