/** Every format under test. */
import { clipsFormat } from './clips.ts';
import { episodesFormat } from './episodes.ts';
import type { Format } from './format.ts';
import { jsonFormat } from './json.ts';
import { listsFormat } from './lists.ts';
import { npyFormat } from './npy.ts';
import { npzFormat } from './npz.ts';
import { onnxFormat } from './onnx.ts';
import { pickleFormat } from './pickle.ts';
import { safetensorsFormat } from './safetensors.ts';
import { scoresFormat } from './scores.ts';
import { taughtFormat } from './taught.ts';
import { torchLegacyFormat, torchZipFormat } from './torch.ts';
import { yamlFormat } from './yaml.ts';

export const formats: readonly Format[] = [
  npyFormat,
  npzFormat,
  safetensorsFormat,
  pickleFormat,
  torchZipFormat,
  torchLegacyFormat,
  onnxFormat,
  yamlFormat,
  jsonFormat,
  listsFormat,
  clipsFormat,
  scoresFormat,
  episodesFormat,
  taughtFormat,
];
