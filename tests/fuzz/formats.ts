/** Every format under test. */
import type { Format } from './format.ts';
import { npyFormat } from './npy.ts';
import { npzFormat } from './npz.ts';
import { safetensorsFormat } from './safetensors.ts';

export const formats: readonly Format[] = [npyFormat, npzFormat, safetensorsFormat];
