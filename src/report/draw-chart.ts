/**
 * The one place where ECharts draws: an option in, a clean SVG out. Its
 * types reach no public one, for they need a browser's.
 */
import type * as ECharts from 'echarts';
import { FONT_FAMILY, PALETTE } from './chart-style';
import type { Chart } from './chart-style';
import { withoutForbidden } from './escape';

/** What is of no use outside a browser: hover styles, their classes, data attributes; and ids that count charts. */
function clean(svg: string, name: string): string {
  return (
    svg
      .replace(/<style[^>]*>[\s\S]*?<\/style>/g, '')
      .replace(/ (?:class|ecmeta_\w+|pointer-events)="[^"]*"/g, '')
      .replace(/zr\d+-/g, `${name}-`)
      // Renderers differ in `dominant-baseline`; a shift in em is the same everywhere.
      .replace(/ dominant-baseline="central"/g, ' dy="0.35em"')
      .replace(/\n\s*\n+/g, '\n')
  );
}

/**
 * Draws an option. The same option makes the same text, byte for byte.
 *
 * @param size in pixels
 */
export function drawChart(
  name: string,
  title: string,
  size: { width: number; height: number },
  option: ECharts.EChartsOption,
): Chart {
  // Loaded with the first chart: importing the package should not cost a charting library.
  const { init } = require('echarts') as typeof ECharts; // eslint-disable-line @typescript-eslint/no-require-imports
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
