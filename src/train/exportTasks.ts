/** Exports to ONNX by task. */
import { localizerInput, localizerOutputs } from '../localization/onnxModel.ts';
import { recognizerInput, recognizerOutputs } from '../openset/opensetOnnx.ts';
import { requireLocalization, requireOpenset } from './config.ts';
import { localizationExport } from './localizationExport.ts';
import type { Model } from './model.ts';
import type { OnnxExport } from './onnxExport.ts';
import { opensetExport } from './opensetExport.ts';
import type { ConfigByTask } from './tasks.ts';

/** How a task's models are exported, and what the models that it exports look like from outside. */
interface ExportKind extends Pick<OnnxExport, 'input' | 'outputs'> {
  export(model: Model): OnnxExport;
}

/** The tasks whose models are exported. */
export const exportKinds: { readonly [T in keyof ConfigByTask]: ExportKind } = {
  localization: {
    input: localizerInput,
    outputs: localizerOutputs,
    export: model => localizationExport(model, requireLocalization(model.config, model.source)),
  },
  openset: {
    input: recognizerInput,
    outputs: recognizerOutputs,
    export: model => opensetExport(model, requireOpenset(model.config, model.source)),
  },
};

/** A model as its task exports it. @throws DataError for a calibration that does not fit */
export function onnxExportOf(model: Model): OnnxExport {
  return exportKinds[model.config.task].export(model);
}
