/**
 * `npm run schemas`: writes the JSON Schemas of what Inkling reads and writes to `schemas/`, from the schemas that the program itself
 * checks with. They are part of the package; a test says when they are out of date.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fewshotConfigSchema, localizationConfigSchema, opensetConfigSchema, schemaText } from '../src/train/configSchema.ts';
import { epochRecordJsonSchema } from '../src/train/epochRecord.ts';
import { runRecordJsonSchema } from '../src/train/runRecord.ts';

/** The folder that they are written to. */
export const schemaFolder = fileURLToPath(new URL('../schemas', import.meta.url));

/** Every schema and the file it is written to. */
export const schemas: readonly { readonly file: string; readonly schema: () => object }[] = [
  { file: 'run.json', schema: runRecordJsonSchema },
  { file: 'metrics.json', schema: epochRecordJsonSchema },
  { file: 'localization-config.json', schema: localizationConfigSchema },
  { file: 'openset-config.json', schema: opensetConfigSchema },
  { file: 'fewshot-config.json', schema: fewshotConfigSchema },
];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await mkdir(schemaFolder, { recursive: true });
  for (const { file, schema } of schemas) await writeFile(join(schemaFolder, file), schemaText(schema()));
}
