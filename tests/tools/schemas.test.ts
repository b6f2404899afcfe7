import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { schemaFolder, schemas, schemaText } from '../../tools/schemas.ts';

describe('the JSON Schemas of the package', () => {
  it.each(schemas.map(({ file, schema }) => [file, schema] as const))(
    'are up to date: %s (npm run schemas)',
    async (file, schema) => {
      expect(await readFile(join(schemaFolder, file), 'utf8')).toBe(schemaText(schema()));
    },
  );

  it('are those that the list names', async () => {
    expect((await readdir(schemaFolder)).sort()).toEqual(schemas.map(({ file }) => file).sort());
  });
});
