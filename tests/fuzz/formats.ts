/** Every format under test. */
import type { Format } from './format.ts';
import { npyFormat } from './npy.ts';
import { npzFormat } from './npz.ts';
import { pickleFormat } from './pickle.ts';
import { safetensorsFormat } from './safetensors.ts';
import { torchLegacyFormat, torchZipFormat } from './torch.ts';

export const formats: readonly Format[] = [npyFormat, npzFormat, safetensorsFormat, pickleFormat, torchZipFormat, torchLegacyFormat];
