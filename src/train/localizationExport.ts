/** Localisers as ONNX models. */
import { acmNetOptions, type LocalizationConfig } from '../localization/config.ts';
import { fewestSnippets, localizerInput, localizerOnnx, localizerOutputs } from '../localization/onnxModel.ts';
import { inferenceStep } from '../localization/steps.ts';
import type { Model } from './model.ts';
import type { OnnxExport } from './onnxExport.ts';

/** A localiser with open batch and time axes, see {@link localizerOnnx}. */
export function localizationExport({ classes, params }: Model, config: LocalizationConfig): OnnxExport {
  const { data, model } = config;
  const network = acmNetOptions(config, classes.length);
  const { samples } = data;
  const lengths = [fewestSnippets, 3, 7, 8, 29, samples].filter(
    (length, i, all) => length <= samples && all.indexOf(length) === i,
  );
  const shapes = [...lengths.map(time => [1, time, network.featureDim]), [2, Math.min(13, samples), network.featureDim]];
  const times = [...new Set(shapes.map(shape => shape[1]))].sort((a, b) => a - b);
  return {
    input: localizerInput,
    outputs: localizerOutputs,
    metadata: {
      task: config.task,
      method: config.method,
      classes: JSON.stringify(classes),
      framesPerSecond: String(data.framesPerSecond),
      snippetFrames: String(data.snippetFrames),
      preprocessing: JSON.stringify({
        input: 'features',
        width: model.featureDim,
        extractor: data.extractor,
        sampling: 'uniform',
        mostSnippets: samples,
        fewestSnippets,
      }),
    },
    encode: metadata => localizerOnnx(network, params, metadata),
    shapes,
    sizes: `${times.join(', ')} snippets`,
    open(where) {
      const step = inferenceStep({ network }, where);
      return {
        async run(features) {
          const outputs = await step(params, features);
          return localizerOutputs.map(name => outputs[name]);
        },
        dispose: step.dispose,
      };
    },
  };
}
