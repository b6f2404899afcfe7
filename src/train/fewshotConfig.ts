/** Few-shot configurations from files (Node only). */
import { type FewshotConfig, fewshotConfig } from '../fewshot/config.ts';
import { checkAgainst } from './config.ts';
import { findConfig, parseOverride, readConfigLayers } from './configFile.ts';
import type { ConfigLayer } from './configTree.ts';

/**
 * Loads a few-shot configuration: a file with everything it extends, then overrides in their order.
 * @param name a path, or the name of one of the package's own, such as `fewshot/kinetics100/1-shot`
 * @throws DataError in one line: no such file, not YAML, an unknown key (naming the nearest one), a value that does not fit
 */
export async function loadFewshotConfig(
  name: string,
  { sets = [] }: { readonly sets?: readonly string[] } = {},
): Promise<{ readonly config: FewshotConfig; readonly layers: readonly ConfigLayer[] }> {
  const layers = [...(await readConfigLayers(await findConfig(name))), ...sets.map(parseOverride)];
  return { config: checkAgainst(fewshotConfig, layers), layers };
}
