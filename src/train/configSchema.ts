/** Configuration files as a JSON Schema, for editors. */

import { z } from 'zod';
import { fewshotConfig } from '../fewshot/config.ts';
import { localizationConfig } from '../localization/config.ts';
import { opensetConfig } from '../openset/config.ts';
import type { Config } from './config.ts';
import { isMapping } from './configTree.ts';

/** A JSON Schema document. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The schema of a task's configurations, by the value of `task`. */
export const configSchemas: Readonly<Record<Config['task'], () => JsonSchema>> = {
  localization: localizationConfigSchema,
  openset: opensetConfigSchema,
  fewshot: fewshotConfigSchema,
};

/** Where the schema of localisation configurations is kept, relative to the package. */
export const localizationSchemaFile = 'schemas/localization-config.json';

const extendsSchema = {
  description:
    'A configuration to start from (a path relative to this file, or a name such as localization/base), or a list of them.',
  anyOf: [
    { type: 'string', minLength: 1 },
    { type: 'array', items: { type: 'string', minLength: 1 } },
  ],
};

/**
 * The JSON Schema (2020-12) of a localisation configuration as it is written in a file: every key may be left out, since files extend
 * each other, and `extends` is allowed. Rules between keys are not in it; loading checks those.
 */
export function localizationConfigSchema(): JsonSchema {
  return configSchema('Inkling: temporal action localisation', localizationConfig);
}

/** As {@link localizationConfigSchema}, of an open-set configuration. */
export function opensetConfigSchema(): JsonSchema {
  return configSchema('Inkling: open-set recognition', opensetConfig);
}

/** As {@link localizationConfigSchema}, of a few-shot configuration. */
export function fewshotConfigSchema(): JsonSchema {
  return configSchema('Inkling: few-shot recognition', fewshotConfig);
}

function configSchema(title: string, config: z.ZodType): JsonSchema {
  const { $schema, ...whole } = z.toJSONSchema(config, { io: 'input' });
  const schema = everythingOptional(whole) as { properties: Record<string, unknown> };
  return {
    $schema,
    title,
    description: 'A configuration of inkling train. Keys that are left out come from the files named by extends.',
    ...schema,
    properties: { extends: extendsSchema, ...schema.properties },
  };
}

/**
 * A schema in which mappings may be partial and no key has a default, which would be untrue: a key that is left out keeps the value
 * of the extended file. A mapping that is one of several forms of a value (`{start, stop, step}`) may be partial too, as merging completes it.
 */
function everythingOptional(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(everythingOptional);
  if (!isMapping(node)) return node;
  const { required: _, default: __, ...rest } = node;
  // Every integer of JavaScript ends there; an editor need not say so.
  if (rest.maximum === Number.MAX_SAFE_INTEGER) delete rest.maximum;
  const kept = Object.entries(rest).map(([key, value]) => [
    key,
    // Names of properties are not keywords: a key named "default" or "required" stays.
    key === 'properties' && isMapping(value)
      ? Object.fromEntries(Object.entries(value).map(([name, below]) => [name, everythingOptional(below)]))
      : everythingOptional(value),
  ]);
  return Object.fromEntries(kept);
}

/** A schema as the text of its file. */
export function schemaText(schema: object): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}
