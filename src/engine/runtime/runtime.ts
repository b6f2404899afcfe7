import type { NDArray } from '../ndarray.ts';

/** Where graphs run. */
export type Device = 'cpu' | 'cuda' | 'webgpu';

export interface SessionOptions {
  /** Threads within one op; default: the runtime's choice (one a core). */
  readonly threads?: number;
}

/** A loaded graph. */
export interface Session {
  /** Feeds by input name; gives all outputs in the model's order, as arrays of their own. */
  run(feeds: Readonly<Record<string, NDArray>>): Promise<NDArray[]>;
  dispose(): Promise<void>;
}

/** ONNX Runtime, wherever it comes from. */
export interface Runtime {
  readonly device: Device;
  createSession(model: Uint8Array, outputs: readonly string[], options: SessionOptions): Promise<Session>;
}
