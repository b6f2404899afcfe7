/**
 * Inkling in Node: load a trained model and predict, or train one. The parts are there by name too: `inkling/engine`, `inkling/nn`,
 * `inkling/data`, `inkling/localization`, `inkling/fewshot`, `inkling/train`.
 */
export type { Detection } from './localization/detections.ts';
export { loadConfig } from './train/config.ts';
export { loadModel, type Model } from './train/model.ts';
export { type FeatureInput, featureInput, type Predictor, predictFiles, predictor } from './train/predict.ts';
export { type Recognized, type Recognizer, recognizeFiles, recognizer } from './train/recognize.ts';
export { consoleReporter, type Reporter, silentReporter } from './train/reporter.ts';
export { loadTaught, recognizeTaught, type TaughtRecognition, teach, writeTaught } from './train/teach.ts';
export { testRun } from './train/testRun.ts';
export { trainRun } from './train/trainRun.ts';
