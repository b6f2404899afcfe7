/** An exported ONNX model as something to predict with (Node). */
import { z } from 'zod';
import { parseJson } from '../data/formats/json.ts';
import { DataError, parseOnnxModel, readBytes } from '../data/index.ts';
import { ndarray } from '../engine/index.ts';
import type { Params } from '../nn/index.ts';
import { exportKinds } from './exportTasks.ts';
import { described, type Model } from './model.ts';

/** A model that `export` wrote as ONNX: the network is in the file. */
export interface ExportedModel extends Pick<Model, 'source' | 'calibration' | 'classes' | 'config'> {
  /** The file. */
  readonly onnx: Uint8Array;
}

/**
 * Loads what {@link exportFile} wrote as ONNX.
 * @throws DataError if it is no ONNX model, or none of ours
 */
export async function loadExportedModel(path: string): Promise<ExportedModel> {
  const onnx = await readBytes(path);
  const { metadata, inputs, outputs } = parseOnnxModel(onnx, path);
  const names = (values: readonly { readonly name: string }[]): string => values.map(({ name }) => name).join(', ') || 'none';
  const isOf = (kind: (typeof kinds)[number]): boolean =>
    kind.inputs.includes(names(inputs)) && kind.outputs.every(name => outputs.some(output => output.name === name));
  const kinds = Object.values(exportKinds);
  if (!kinds.some(isOf)) {
    const expected = kinds.map(({ inputs: from, outputs: to }) => `from ${from.join(' or ')} to ${to.join(', ')}`).join(', or ');
    const found = `from ${names(inputs)} to ${names(outputs)}`;
    throw new DataError(path, `expected a model that export wrote, ${expected}; found one ${found}`);
  }
  const { classes, config } = described(metadata.get('inkling'), path);
  const kind = exportKinds[config.task];
  if (!kind || !isOf(kind))
    throw new DataError(path, `its outputs (${names(outputs)}) are not those of its task, ${config.task}`);
  return { source: path, onnx, calibration: calibrationOf(metadata.get('calibration'), path), classes, config };
}

const calibrationSchema = z.object({ uncertainty: z.array(z.number().nullable()).min(1) });

/** The calibration's uncertainties; JSON has null for infinity. */
function calibrationOf(text: string | undefined, path: string): Params | undefined {
  if (text === undefined) return undefined;
  const parsed = calibrationSchema.safeParse(parseJson(text, `${path}: its calibration`));
  if (!parsed.success) throw new DataError(path, 'its calibration: expected {uncertainty: [numbers]}');
  const values = Float64Array.from(parsed.data.uncertainty, value => value ?? Number.POSITIVE_INFINITY);
  return { uncertainty: ndarray('float64', [values.length], values) };
}
