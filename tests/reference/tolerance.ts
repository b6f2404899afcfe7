/** How far a computed value may lie from the expected one, read from any of the manifests' dialects. */

/** A check passes when |got - want| <= atol + rtol * |want|, or, with `relativeToMax`, <= relativeToMax * max |want|. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
  readonly relativeToMax?: number;
  /** The arithmetic the bound is meant for; absent where the manifest does not say. */
  readonly precision?: Precision;
}

/** Floating-point arithmetic of the implementation under test. */
export type Precision = 'float32' | 'float64';

/** Bound of a case whose manifest entry says "exact". */
export const EXACT: Tolerance = { rtol: 0, atol: 0 };

/**
 * The tolerance of a quantity, from a manifest entry's `tolerance` in any dialect:
 * - `{default: {rtol, atol}, "grad.*": {...}, "out.mAP": {...}}`: the longest matching pattern (`*` stands for anything) wins, then
 *   `default`;
 * - `{float64: ..., float32: ...}`, each again such a record: the asked precision's, else float32's, else float64's;
 * - `{rtol, atol, f64_rtol, f64_atol}`, `{abs, rel}`, `{rel_to_max}`, `{exact: true}`, or `"exact"` for a named quantity.
 * A key also matches without its `out.` or `out_` prefix.
 * @throws Error if the entry gives no bound for the quantity.
 */
export function toleranceOf(entry: unknown, quantity: string, precision?: Precision): Tolerance {
  const found = lookUp(entry, quantity, precision);
  if (!found) throw new Error(`tolerance gives no bound for "${quantity}": ${JSON.stringify(entry)}`);
  return found;
}

function lookUp(entry: unknown, quantity: string, precision: Precision | undefined): Tolerance | undefined {
  if (entry === 'exact') return EXACT;
  if (!isRecord(entry)) return undefined;
  const named = bestPattern(Object.keys(entry), quantity);
  if (named !== undefined) return lookUp(entry[named], quantity, precision);
  const sections: readonly Precision[] = precision ? [precision] : ['float32', 'float64'];
  for (const section of sections) {
    const found = section in entry ? lookUp(entry[section], quantity, section) : undefined;
    if (found) return { ...found, precision: section };
  }
  const bound = bare(entry, precision);
  if (bound) return bound;
  return 'default' in entry ? lookUp(entry.default, quantity, precision) : undefined;
}

/** A record that itself states numbers. */
function bare(entry: Record<string, unknown>, precision: Precision | undefined): Tolerance | undefined {
  if (precision === 'float64' && (isNumber(entry.f64_rtol) || isNumber(entry.f64_atol))) {
    return { rtol: number(entry.f64_rtol), atol: number(entry.f64_atol), precision: 'float64' };
  }
  if (entry.exact === true) return EXACT;
  if (isNumber(entry.rel_to_max)) return { rtol: 0, atol: 0, relativeToMax: entry.rel_to_max };
  const rtol = entry.rtol ?? entry.rel;
  const atol = entry.atol ?? entry.abs;
  return isNumber(rtol) || isNumber(atol) ? { rtol: number(rtol), atol: number(atol) } : undefined;
}

const words = new Set(['default', 'float32', 'float64', 'rtol', 'atol', 'abs', 'rel', 'exact', 'rel_to_max', 'note']);

function bestPattern(patterns: readonly string[], quantity: string): string | undefined {
  const names = [quantity, quantity.replace(/^out[._]/, '')];
  const matching = patterns.filter(p => !words.has(p) && names.some(name => matchesPattern(p, name)));
  return matching.sort((a, b) => b.length - a.length)[0];
}

/** Whether `name` fits a pattern in which `*` stands for any text. */
export function matchesPattern(pattern: string, name: string): boolean {
  const literal = pattern.split('*').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`).test(name);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function number(value: unknown): number {
  return isNumber(value) ? value : 0;
}
