/**
 * `npm run reference -- DIR [--data DIR] [--only PATTERN]`: runs every reference case of a folder and prints a table. Exit code 1 if
 * any fails; a case that cannot be run fails. The data folder is by default `data` in $INKLING_SHARED (default ../shared).
 */

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readManifest } from './case.ts';
import { chooseCases, firstLine, runCase, summary, tableHead, tableRow } from './runner.ts';
import { systems } from './systems.ts';

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { data: { type: 'string' }, only: { type: 'string' } },
  });
  if (positionals.length !== 1) throw new Error('usage: npm run reference -- DIR [--data DIR] [--only PATTERN]');
  const directory = resolve(positionals[0]);
  const dataDir = resolve(values.data ?? resolve(process.env.INKLING_SHARED ?? '../shared', 'data'));
  const manifest = await readManifest(directory);
  const names = chooseCases(manifest, values.only);
  console.log(tableHead(names));
  let passed = 0;
  for (const name of names) {
    const result = await runCase(manifest, name, { directory, dataDir }, systems[manifest.system] ?? []);
    if (result.pass) passed++;
    console.log(tableRow(names, result));
  }
  console.log(summary(passed, names.length - passed));
  if (passed < names.length) process.exitCode = 1;
}

main().catch(error => {
  console.error(`error: ${firstLine(error)}`);
  process.exitCode = 1;
});
