/** Exports to ONNX by task. */
import { DataError } from '../data/formats/dataError.ts';
import { localizerInput, localizerOutputs } from '../localization/onnxModel.ts';
import { recognizerInputs, recognizerOutputs } from '../openset/opensetOnnx.ts';
import { requireLocalization, requireOpenset } from './config.ts';
import { localizationExport } from './localizationExport.ts';
import type { Model } from './model.ts';
import type { OnnxExport } from './onnxExport.ts';
import { opensetExport } from './opensetExport.ts';
import type { ConfigByTask } from './tasks.ts';

/** How a task's models are exported, and what the models that it exports look like from outside. */
interface ExportKind extends Pick<OnnxExport, 'outputs'> {
  /** What the input may be called. */
  readonly inputs: readonly string[];
  export(model: Model): OnnxExport;
}

/** The tasks whose models are exported. */
export const exportKinds: { readonly [T in keyof ConfigByTask]: ExportKind } = {
  localization: {
    inputs: [localizerInput],
    outputs: localizerOutputs,
    export: model => localizationExport(model, requireLocalization(model.config, model.source)),
  },
  openset: {
    inputs: recognizerInputs,
    outputs: recognizerOutputs,
    export: model => opensetExport(model, requireOpenset(model.config, model.source)),
  },
  fewshot: {
    inputs: [],
    outputs: [],
    export: ({ source }) => {
      throw new DataError(source, 'expected a model of localization or openset, which can be exported, found one of fewshot');
    },
  },
};

/** A model as its task exports it. @throws DataError for a calibration that does not fit */
export function onnxExportOf(model: Model): OnnxExport {
  return exportKinds[model.config.task].export(model);
}
