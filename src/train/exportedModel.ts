/** An exported ONNX model as something to predict with (Node). */
import { DataError, parseOnnxModel, readBytes } from '../data/index.ts';
import { localizerOutputs } from '../localization/onnxModel.ts';
import { described, type Model } from './model.ts';

/** A localiser that `export` wrote as ONNX: the network is in the file. */
export interface ExportedModel extends Pick<Model, 'source' | 'classes' | 'config'> {
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
  const missing = localizerOutputs.filter(name => !outputs.some(output => output.name === name));
  if (missing.length > 0 || names(inputs) !== 'features')
    throw new DataError(
      path,
      `expected a model that export wrote, from features to ${localizerOutputs.join(', ')}; found one from ${names(inputs)} to ${names(outputs)}`,
    );
  return { source: path, onnx, ...described(metadata.get('inkling'), path) };
}
