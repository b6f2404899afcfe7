import { z } from 'zod';
import { DataError } from './formats/dataError.ts';

/** Labelled files of a folder. */
export interface ClipIndex {
  readonly classes: readonly string[];
  /** Files relative to the folder, with `/`; labels are among the classes. */
  readonly items: readonly { readonly file: string; readonly label: string }[];
}

const indexSchema = z.object({
  classes: z.array(z.string().min(1)).min(1).optional(),
  items: z.array(z.object({ file: z.string().min(1), label: z.string().min(1).optional() })).min(1),
});

/**
 * Reads the index of a folder of clips: `{classes?, items: [{file, label}]}`. Classes are in the order of `classes`, else of the alphabet.
 * @param where the file's name, for messages
 * @throws DataError naming the file and the key: no label, one that is no class, a class or file that is there twice or outside the folder
 */
export function parseClipIndex(json: unknown, where: string): ClipIndex {
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const message = issue.message.charAt(0).toLowerCase() + issue.message.slice(1);
    throw new DataError(where, `${issue.path.map(String).join('.') || 'the file'}: ${message}`);
  }
  const { classes: given } = parsed.data;
  const places = new Map((given ?? []).map((name, i) => [name, i]));
  if (given && places.size < given.length) {
    const twice = given.find((name, i) => places.get(name) !== i);
    throw new DataError(where, `classes: ${JSON.stringify(twice)} is listed twice`);
  }
  const seen = new Set<string>();
  const items = parsed.data.items.map(({ file, label }, i) => {
    if (label === undefined) throw new DataError(where, `items[${i}]: expected a label for ${file}, found none`);
    if (file.startsWith('/') || file.split(/[\\/]/).includes('..'))
      throw new DataError(where, `items[${i}].file: expected a file in the folder, found ${JSON.stringify(file)}`);
    if (seen.has(file)) throw new DataError(where, `${file} is listed twice`);
    seen.add(file);
    if (given && !places.has(label))
      throw new DataError(where, `items[${i}].label: expected one of classes, found ${JSON.stringify(label)}`);
    return { file, label };
  });
  return { classes: given ?? [...new Set(items.map(({ label }) => label))].sort(), items };
}
