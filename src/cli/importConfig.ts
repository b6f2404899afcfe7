/** `import` of a configuration. */
import { importPublishedConfig, writeImportedConfig } from '../train/publishedConfigFile.ts';
import type { ImportCommandOptions } from './import.ts';
import { printJson, printLines } from './output.ts';
import { shellWord } from './shellWord.ts';

/** Writes a published few-shot configuration as one of ours; without `--to`, prints it. */
export async function importConfig(
  file: string,
  { to, force = false, published = false, set, json, ...rest }: ImportCommandOptions,
): Promise<void> {
  const strange = (['model', 'config', 'classes', 'key', 'strict'] as const).find(name => rest[name] !== undefined);
  if (strange !== undefined)
    throw new Error(`${file}: --${strange} is for weights; a configuration takes --to, --set and --published`);
  if (to !== undefined && !/\.ya?ml$/i.test(to)) throw new Error(`${to}: a configuration becomes a file ending in .yaml`);
  const overrides = (set ?? []).flatMap(text => {
    const at = text.indexOf('=');
    if (at < 1) throw new Error(`--set ${text}: expected KEY=value of the published configuration, such as TRAIN.SHOT=5`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
  const imported = await importPublishedConfig(file, { overrides, behaviour: published ? 'published' : 'intended' });
  if (to !== undefined) await writeImportedConfig(to, imported, force);
  const { config, notes, strange: unknown, text } = imported;
  if (json) {
    printJson({ file, written: to ?? null, config, notes, unknown });
    return;
  }
  const { way, shot } = config.episode;
  printLines([
    ...(to === undefined ? [text] : []),
    `${file}: ${config.method}, ${way}-way ${shot}-shot, ${config.train.epochs * config.train.iterations} iterations`,
    ...notes.map(note => `  ${note}`),
    ...(unknown.length > 0 ? [`  not understood and left out: ${unknown.join(', ')}`] : []),
    ...(to === undefined ? [] : [`wrote the configuration ${to}: inkling train ${shellWord(to)}`]),
  ]);
}
