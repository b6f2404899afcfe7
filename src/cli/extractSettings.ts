/** What `inkling extract` is told of a backbone: by options, or by a YAML file beside the model. */
import { readFile, stat } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { layouts } from '../video/backbone.ts';

const count = z.int().min(1);
const perChannel = z.union([z.number(), z.array(z.number()).length(1), z.array(z.number()).length(3)]);
/** A number, or a text such as 1/127.5. */
const fraction = z.union([
  z.number().positive(),
  z
    .string()
    .regex(/^\d+(\.\d+)?\/\d+(\.\d+)?$/, 'expected a number, or a fraction such as 1/255')
    .transform(text => text.split('/').map(Number))
    .transform(([over, under]) => over / under),
]);

/** The keys of `<model>.yaml`; each is an option of the command too. */
const schema = z.strictObject({
  output: z.string().optional(),
  size: count.optional(),
  shortSide: count.optional(),
  scale: fraction.optional(),
  mean: perChannel.transform(value => [value].flat()).optional(),
  std: perChannel.transform(value => [value].flat()).optional(),
  stride: count.optional(),
  window: count.optional(),
  fps: z.number().positive().optional(),
  batch: count.optional(),
  layout: z.enum(layouts).optional(),
});
export type ExtractSettings = z.infer<typeof schema>;

const keys = Object.keys(schema.shape) as (keyof ExtractSettings)[];

/**
 * The options that were given, and for the others what stands in `<model>.yaml`.
 * @throws Error naming the YAML file and the key that is wrong
 */
export async function readExtractSettings(options: ExtractSettings & { readonly backbone: string }): Promise<ExtractSettings> {
  const path = options.backbone.replace(/\.onnx$/i, '.yaml');
  const given = Object.fromEntries(keys.flatMap(key => (options[key] === undefined ? [] : [[key, options[key]]])));
  if (path === options.backbone || !(await stat(path).catch(() => undefined))?.isFile()) return given;
  const document = parseDocument(await readFile(path, 'utf8'));
  if (document.errors.length > 0) throw new Error(`${path}: not YAML (${document.errors[0].message.split('\n')[0]})`);
  const parsed = schema.safeParse(document.toJS() ?? {});
  if (!parsed.success) {
    const [{ path: place, message }] = parsed.error.issues;
    throw new Error(`${path}: ${place.length > 0 ? `${place.join('.')}: ` : ''}${message} (keys: ${keys.join(', ')})`);
  }
  return { ...parsed.data, ...given };
}
