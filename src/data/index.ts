/** Files, annotations, data sets and sampling. */
export * from './annotations.ts';
export * from './checkData.ts';
export * from './features.ts';
export * from './files.ts';
export * from './formats/dataError.ts';
export * from './formats/npy.ts';
export * from './formats/npz.ts';
export * from './formats/safetensors.ts';
export { StoredTensor } from './formats/storedTensor.ts';
export * from './formats/torchCheckpoint.ts';
export * from './labels.ts';
export * from './labelsCsv.ts';
export * from './loader.ts';
export * from './pairs.ts';
export * from './sampling.ts';
export * from './splits.ts';
export * from './stateDict.ts';
export * from './videos.ts';
