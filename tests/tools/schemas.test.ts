import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { schemaText } from '../../src/train/configSchema.ts';
import { schemaFolder, schemas } from '../../tools/schemas.ts';

describe('the JSON Schemas of the package', () => {
  it.each(schemas.map(({ file, schema }) => [file, schema] as const))(
    'are up to date: %s (npm run schemas)',
    async (file, schema) => {
      expect(await readFile(join(schemaFolder, file), 'utf8')).toBe(schemaText(schema()));
    },
  );

  it('of run folders have every key in docs/formats.md', async () => {
    const page = await readFile(new URL('../../docs/formats.md', import.meta.url), 'utf8');
    const keys = schemas.filter(({ file }) => !file.endsWith('-config.json')).flatMap(({ schema }) => keysOf(schema()));
    expect(keys.length).toBeGreaterThan(40);
    expect(keys.filter(key => !new RegExp(`\\b${key}\\b`).test(page))).toEqual([]);
  });

  it('are those that the list names', async () => {
    expect((await readdir(schemaFolder)).sort()).toEqual(schemas.map(({ file }) => file).sort());
  });
});

/** Every property's name in a JSON Schema. */
function keysOf(schema: object): string[] {
  const { properties = {} } = schema as { properties?: Readonly<Record<string, object>> };
  const below = Object.entries(schema).flatMap(([key, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null && key !== 'properties' ? keysOf(value) : [],
  );
  return [...Object.keys(properties), ...Object.values(properties).flatMap(keysOf), ...below];
}
