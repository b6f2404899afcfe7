/** Resolved configurations as annotated YAML. */

import { stringify } from 'yaml';
import { type ConfigLeaf, showOrigin } from './configOrigins.ts';
import { isMapping } from './configTree.ts';

/** Where a line of a list ends. */
const lineWidth = 110;

/** Values wider than this do not push the comments of all others to the right. */
const widestAligned = 56;

/**
 * A configuration as YAML, with the origin of each value as a comment beside it. Loading it gives the same configuration.
 * @param comments false leaves the origins out
 */
export function configLines(leaves: readonly ConfigLeaf[], { comments = true } = {}): string[] {
  const rows: { readonly text: string; readonly comment?: string; readonly more: readonly string[] }[] = [];
  let open: readonly string[] = [];
  for (const { path, value, origin } of leaves) {
    const above = path.slice(0, -1);
    const shared = above.findIndex((key, i) => open[i] !== key);
    const from = shared < 0 ? above.length : shared;
    for (let i = from; i < above.length; i++) rows.push({ text: `${indent(i)}${inline(above[i])}:`, more: [] });
    open = above;
    const [first, ...more] = valueLines(value, indent(above.length + 1));
    const text = `${indent(above.length)}${inline(path[path.length - 1])}: ${first}`;
    rows.push({ text, comment: comments ? showOrigin(origin) : undefined, more });
  }
  const widths = rows.filter(row => row.comment !== undefined).map(row => row.text.length);
  const column = Math.max(0, ...widths.filter(width => width <= widestAligned)) + 2;
  return rows.flatMap(({ text, comment, more }) => {
    const padded = text.length + 2 <= column ? text.padEnd(column) : `${text}  `;
    return [comment === undefined ? text : `${padded}# ${comment}`, ...more];
  });
}

const indent = (depth: number): string => '  '.repeat(depth);

/** A value as it may stand in a flow collection, and so anywhere, on one line. */
function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (isMapping(value))
    return `{${Object.entries(value)
      .map(([key, below]) => `${inline(key)}: ${inline(below)}`)
      .join(', ')}}`;
  // YAML would break the line there; double quotes mean what they mean in JSON.
  if (typeof value === 'string' && /\p{Cc}/u.test(value)) return JSON.stringify(value);
  return stringify([value], { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim().slice(1, -1);
}

/** A value on one line, or a long list as `[` and lines that its elements fill. */
function valueLines(value: unknown, margin: string): string[] {
  const whole = inline(value);
  if (!Array.isArray(value) || margin.length + whole.length <= lineWidth / 2) return [whole];
  const lines: string[] = [];
  let line = margin;
  for (const [i, element] of value.entries()) {
    const text = `${inline(element)}${i + 1 < value.length ? ',' : ']'}`;
    if (line !== margin && line.length + text.length + 1 > lineWidth) {
      lines.push(line);
      line = margin;
    }
    line += line === margin ? text : ` ${text}`;
  }
  return ['[', ...lines, line];
}
