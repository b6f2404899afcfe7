/** Every task by its name in a configuration. */
import type { FewshotConfig } from '../fewshot/config.ts';
import type { LocalizationConfig } from '../localization/config.ts';
import type { OpensetConfig } from '../openset/config.ts';
import { fewshotKind } from './fewshotRun.ts';
import { localizationKind } from './localizationRun.ts';
import { opensetKind } from './opensetRun.ts';
import type { TaskKind } from './taskKind.ts';

/** Configurations by the value of `task`. */
export interface ConfigByTask {
  readonly localization: LocalizationConfig;
  readonly openset: OpensetConfig;
  readonly fewshot: FewshotConfig;
}

type TaskName = keyof ConfigByTask;

const kinds: { readonly [T in TaskName]: TaskKind<ConfigByTask[T]> } = {
  // A kind reads only what it has opened itself.
  localization: localizationKind as TaskKind<LocalizationConfig>,
  openset: opensetKind as TaskKind<OpensetConfig>,
  fewshot: fewshotKind as TaskKind<FewshotConfig>,
};

/** What runs need of the task of a configuration. */
export function kindOf<C extends ConfigByTask[TaskName]>(config: C): TaskKind<C> {
  // The value of `task` and the type of the configuration go together, which a table cannot say.
  return kinds[config.task] as unknown as TaskKind<C>;
}
