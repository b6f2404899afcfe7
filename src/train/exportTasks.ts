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

/** The tasks whose models are exported: what a few-shot model answers depends on the clips that it is shown. */
export const exportKinds: { readonly [T in keyof ConfigByTask]?: ExportKind } = {
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
};

/** A model as its task exports it. @throws DataError for a task whose models are not exported, or a calibration that does not fit */
export function onnxExportOf(model: Model): OnnxExport {
  const { task } = model.config;
  const kind = exportKinds[task];
  if (!kind)
    throw new DataError(model.source, `expected a model of ${Object.keys(exportKinds).join(' or ')}, found one of ${task}`);
  return kind.export(model);
}
