/**
 * `tsx tests/reference/ci.ts`: runs the systems listed in systems.json from $INKLING_SHARED/reference (default ../shared). Cases
 * listed there as pending, with the issue that will bring them, are run and shown as pending; one that passes fails the run until it
 * is taken off the list, and so does a listed case that does not exist. Exit code 1 on any failure.
 */

import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isRecord, readManifest } from './case.ts';
import { firstLine, runCase, summary, tableHead, tableRow } from './runner.ts';
import { systems } from './systems.ts';

/** Pending cases of one system: name -> number of the issue that brings it. */
type Pending = Readonly<Record<string, number>>;

async function main(): Promise<void> {
  const shared = resolve(process.env.INKLING_SHARED ?? '../shared');
  const totals = { passed: 0, failed: 0, pending: 0 };
  for (const [system, pending] of Object.entries(await readList())) {
    console.log(`\n${system}`);
    await runSystem(system, pending, shared, totals);
  }
  console.log(`\n${totals.pending} pending`);
  console.log(summary(totals.passed, totals.failed));
  if (totals.failed > 0) process.exitCode = 1;
}

async function runSystem(
  system: string,
  pending: Pending,
  shared: string,
  totals: { passed: number; failed: number; pending: number },
): Promise<void> {
  const folders = { directory: join(shared, 'reference', system), dataDir: join(shared, 'data') };
  const manifest = await readManifest(folders.directory);
  const names = manifest.entries.map(entry => entry.name);
  const shown = [...names, ...Object.keys(pending)];
  console.log(tableHead(shown));
  for (const name of Object.keys(pending).filter(listed => !names.includes(listed))) {
    totals.failed++;
    console.log(tableRow(shown, { name, pass: false, problem: 'listed as pending in systems.json, but there is no such case' }));
  }
  for (const name of names) {
    const result = await runCase(manifest, name, folders, systems[manifest.system] ?? []);
    if (!Object.hasOwn(pending, name)) {
      totals[result.pass ? 'passed' : 'failed']++;
      console.log(tableRow(shown, result));
    } else if (result.pass) {
      totals.failed++;
      const problem = `passes, but systems.json lists it as pending issue ${pending[name]}: take it off the list`;
      console.log(tableRow(shown, { ...result, pass: false, problem }));
    } else {
      totals.pending++;
      console.log(tableRow(shown, result, `pending (issue ${pending[name]})`));
    }
  }
}

async function readList(): Promise<Record<string, Pending>> {
  const file = new URL('./systems.json', import.meta.url);
  const list: unknown = JSON.parse(await readFile(file, 'utf8'));
  if (!isRecord(list) || !isRecord(list.systems))
    throw new Error('systems.json: expected {"systems": {name: {"pending": {...}}}}');
  return Object.fromEntries(
    Object.entries(list.systems).map(([system, entry]): [string, Pending] => {
      const pending = isRecord(entry) ? entry.pending : undefined;
      if (!isRecord(pending) || !Object.values(pending).every(Number.isInteger)) {
        throw new Error(`systems.json: systems.${system}: expected {"pending": {case: issue number}}`);
      }
      return [system, pending as Pending];
    }),
  );
}

main().catch(error => {
  console.error(`error: ${firstLine(error)}`);
  process.exitCode = 1;
});
