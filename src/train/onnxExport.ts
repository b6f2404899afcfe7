/** What exporting to ONNX needs of a task. */
import type { NDArray, Shape } from '../engine/index.ts';

/** A model of some task as an ONNX model. */
export interface OnnxExport {
  readonly input: string;
  readonly outputs: readonly string[];
  /** What other programs need to know, in words of their own. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The file, with metadata. */
  encode(metadata: Readonly<Record<string, string>>): Uint8Array;
  /** Shapes of the input at which the file is run beside the trained model, and what differs in them, in words. */
  readonly shapes: readonly Shape[];
  readonly sizes: string;
  /**
   * What the file's own outputs make of an output that enlarges their rounding, such as a distance; undefined for the others. It is compared
   * with this in the place of the trained model's.
   */
  derived?(outputs: readonly NDArray[]): readonly (NDArray | undefined)[];
  /** The trained model: from the input to the outputs in their order. */
  open(where: { readonly threads?: number }): TrainedNetwork;
}

/** The trained network, as the exported one is compared with it. */
export interface TrainedNetwork {
  run(input: NDArray): Promise<readonly NDArray[]>;
  dispose(): Promise<void>;
}
