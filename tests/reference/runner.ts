/** Runs the reference cases of a folder and prints their table; shared by run.ts and ci.ts. */

import { type Adapter, type Folders, type Manifest, type ReferenceCase, readCase } from './case.ts';
import { type Check, check } from './compare.ts';
import { matchesPattern } from './tolerance.ts';

/** How one case went. */
export interface CaseResult {
  readonly name: string;
  readonly pass: boolean;
  /** The quantity with the largest error relative to its bound; absent if the case could not be compared. */
  readonly worst?: Check;
  /** Why it failed, in one line. */
  readonly problem?: string;
}

/** Runs one case. Fails it, and never throws, if no adapter matches, something throws, or an expected array stays uncompared. */
export async function runCase(
  manifest: Manifest,
  name: string,
  folders: Folders,
  adapters: readonly Adapter[],
): Promise<CaseResult> {
  try {
    const c = await readCase(manifest, name, folders);
    const adapter = adapters.find(a => a.matches(c));
    if (!adapter) return { name, pass: false, problem: `no adapter runs kind "${c.kind}" of system "${c.system}"` };
    return judge(c, await adapter.run(c));
  } catch (error) {
    return { name, pass: false, problem: firstLine(error) };
  }
}

/** The verdict over the quantities of a case. */
function judge(c: ReferenceCase, compared: Awaited<ReturnType<Adapter['run']>>): CaseResult {
  const { name } = c;
  if (compared.length === 0) return { name, pass: false, problem: 'nothing was compared' };
  const seen = new Set(compared.map(one => one.key));
  const left = c.expected.filter(key => !seen.has(key));
  if (left.length > 0) return { name, pass: false, problem: `not compared: ${left.join(', ')}` };
  const checks = compared.map(one => check(c, one));
  const worst = checks.reduce((a, b) => (b.ratio > a.ratio || (a.pass && !b.pass) ? b : a));
  const others = checks.filter(one => !one.pass).length - 1;
  const more = others > 0 ? `${others} more quantities fail` : undefined;
  return {
    name,
    pass: checks.every(one => one.pass),
    worst,
    problem: [worst.problem, more].filter(text => text !== undefined).join('; ') || undefined,
  };
}

/** The names of a manifest's cases that fit a pattern: a part of the name, or with `*` for any text. */
export function chooseCases(manifest: Manifest, pattern = '*'): string[] {
  const names = manifest.entries.map(entry => entry.name);
  const chosen = names.filter(name => (pattern.includes('*') ? matchesPattern(pattern, name) : name.includes(pattern)));
  if (chosen.length === 0) throw new Error(`no case matches "${pattern}"`);
  return chosen;
}

/** The table's head for names of these lengths. */
export function tableHead(names: readonly string[]): string {
  return row(width(names), 'case', 'quantity', 'error', 'allowed', '');
}

/** One line of the table. `verdict` replaces pass or FAIL. */
export function tableRow(names: readonly string[], result: CaseResult, verdict = result.pass ? 'pass' : 'FAIL'): string {
  const { worst } = result;
  const figures = worst && !worst.problem ? [show(worst.error), show(worst.allowed)] : ['-', '-'];
  const line = row(width(names), result.name, worst?.key ?? '-', figures[0], figures[1], verdict);
  return result.problem ? `${line}  ${result.problem}` : line;
}

/** The last line of every run. */
export function summary(passed: number, failed: number): string {
  return `${passed} passed, ${failed} failed`;
}

function row(nameWidth: number, name: string, quantity: string, error: string, allowed: string, verdict: string): string {
  const columns = [name.padEnd(nameWidth), quantity.padEnd(36), error.padStart(10), allowed.padStart(10), verdict];
  return columns.join('  ').trimEnd();
}

function width(names: readonly string[]): number {
  return Math.max(4, ...names.map(name => name.length));
}

function show(value: number): string {
  return value === 0 ? '0' : value.toExponential(2);
}

/** An error's message up to its first line break. */
export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0];
}
