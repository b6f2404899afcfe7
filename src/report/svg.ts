/** Plots as self-contained SVG documents, readable on light and dark backgrounds. */

/** An axis: its range, its title, and the values that are written at it. */
export interface Axis {
  readonly title: string;
  readonly range: readonly [low: number, high: number];
  readonly ticks: readonly { readonly at: number; readonly text: string }[];
}

/** What a plot is drawn in. */
export interface Frame {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  /** Names beside their colours, in the order of the series. */
  readonly legend: readonly string[];
  /** Lines of text below the legend. */
  readonly notes?: readonly string[];
  /** Rules of style beside the common ones. */
  readonly style?: string;
}

/** Draws inside a frame: values to pixels. */
export interface Scale {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

const width = 640;
const plot = { left: 64, right: 624, top: 40, bottom: 340 } as const;
const legendLine = 18;

/** The class of a series' colour; there are eight colours, then dashes. */
export function seriesClass(index: number): string {
  return `s${index % 8}${index >= 8 ? ' d' : ''}`;
}

/** Colour-blind safe hues of middling lightness (Okabe & Ito), which stand out from white and from black. */
const hues = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#b8860b', '#56b4e9', '#8c6bb1', '#7f7f7f'];

const style = [
  'svg{color:#222;font:12px system-ui,sans-serif}.paper{fill:#fff}',
  '@media(prefers-color-scheme:dark){svg{color:#ddd}.paper{fill:#161616}}',
  'text{fill:currentColor}.title{font-size:14px;font-weight:600}.axis{stroke:currentColor}',
  '.grid{stroke:currentColor;opacity:.15}.line{fill:none;stroke-width:2;stroke-linejoin:round}.bar{stroke:none;opacity:.55}.d{stroke-dasharray:6 4}',
  ...hues.map((hue, i) => `.s${i}.line{stroke:${hue}}.s${i}.bar{fill:${hue}}`),
].join('');

/** A whole document: the frame with what `draw` puts into it. */
export function svgPlot(frame: Frame, draw: (scale: Scale) => readonly string[]): string {
  const { left, right, top, bottom } = plot;
  const scale: Scale = {
    x: value => round(left + ((value - frame.x.range[0]) / (frame.x.range[1] - frame.x.range[0])) * (right - left)),
    y: value => round(bottom - ((value - frame.y.range[0]) / (frame.y.range[1] - frame.y.range[0])) * (bottom - top)),
  };
  const { notes = [] } = frame;
  const height = bottom + 56 + (frame.legend.length + notes.length) * legendLine;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(frame.title)}">`,
    `<style>${style}${frame.style ?? ''}</style>`,
    // The background as an element too: not every viewer paints that of the root.
    `<rect class="paper" width="${width}" height="${height}"/>`,
    `<text class="title" x="${left}" y="24">${escapeXml(frame.title)}</text>`,
    ...frame.x.ticks.flatMap(({ at, text }) => [
      `<line class="grid" x1="${scale.x(at)}" x2="${scale.x(at)}" y1="${top}" y2="${bottom}"/>`,
      `<text x="${scale.x(at)}" y="${bottom + 16}" text-anchor="middle">${escapeXml(text)}</text>`,
    ]),
    ...frame.y.ticks.flatMap(({ at, text }) => [
      `<line class="grid" x1="${left}" x2="${right}" y1="${scale.y(at)}" y2="${scale.y(at)}"/>`,
      `<text x="${left - 6}" y="${scale.y(at) + 4}" text-anchor="end">${escapeXml(text)}</text>`,
    ]),
    `<path class="axis" fill="none" d="M${left} ${top}V${bottom}H${right}"/>`,
    `<text x="${(left + right) / 2}" y="${bottom + 34}" text-anchor="middle">${escapeXml(frame.x.title)}</text>`,
    `<text transform="translate(16 ${(top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escapeXml(frame.y.title)}</text>`,
    ...draw(scale),
    ...frame.legend.flatMap((name, i) => {
      const y = bottom + 52 + i * legendLine;
      return [
        `<path class="line ${seriesClass(i)}" d="M${left} ${y - 4}h24"/>`,
        `<text x="${left + 32}" y="${y}">${escapeXml(name)}</text>`,
      ];
    }),
    ...notes.map((note, i) => {
      const y = bottom + 52 + (frame.legend.length + i) * legendLine;
      return `<text x="${left}" y="${y}">${escapeXml(note)}</text>`;
    }),
    '</svg>',
  ];
  return `${lines.join('\n')}\n`;
}

/** Text as it may stand in XML; characters that XML cannot hold become a question mark. */
export function escapeXml(text: string): string {
  const names: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  const held = Array.from(text, character => (isXmlCharacter(character) ? character : '?')).join('');
  return held.replace(/[&<>"]/g, character => names[character]);
}

function isXmlCharacter(character: string): boolean {
  const code = character.codePointAt(0)!;
  const isSurrogate = code >= 0xd800 && code <= 0xdfff;
  return code >= 0x20 ? !isSurrogate && code !== 0xfffe && code !== 0xffff : code === 9 || code === 10 || code === 13;
}

/** Round values (1, 2 or 5 times a power of ten) within a range, about six. */
export function roundTicks([low, high]: readonly [number, number]): Axis['ticks'] {
  const rough = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find(factor => factor * power >= rough) ?? 10) * power;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => {
    const at = (first + i) * step;
    return { at, text: String(Number(at.toPrecision(6))) };
  });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
