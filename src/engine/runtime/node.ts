/** ONNX Runtime in Node (the npm package `onnxruntime-node`). */
import { InferenceSession, listSupportedBackends, Tensor as OrtTensor } from 'onnxruntime-node';
import { type DType, type NDArray, ndarray, type TypedArrays } from '../ndarray.ts';
import type { Device, Runtime, Session, SessionOptions } from './runtime.ts';

/** The devices that this installation can run on. */
export function availableDevices(): Device[] {
  const names = new Set(listSupportedBackends().map(backend => backend.name));
  return (['cpu', 'cuda', 'webgpu'] as const).filter(device => names.has(device));
}

/** The runtime of a device. @throws Error naming the devices there are. */
export function nodeRuntime(device: Device = 'cpu'): Runtime {
  const available = availableDevices();
  if (!available.includes(device)) {
    const hint =
      device === 'cuda' ? '; CUDA libraries come with a separate install step of onnxruntime-node, see docs/devices.md' : '';
    throw new Error(`device ${device} is not available here (available: ${available.join(', ')})${hint}`);
  }
  return { device, createSession: (model, outputs, options) => createSession(device, model, outputs, options) };
}

async function createSession(
  device: Device,
  model: Uint8Array,
  outputs: readonly string[],
  options: SessionOptions,
): Promise<Session> {
  const session = await InferenceSession.create(model, {
    executionProviders: [device],
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    ...(options.threads ? { intraOpNumThreads: options.threads } : {}),
    // Threads that spin while they wait take the cores from those that work: 3x on graphs of small ops.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  return {
    async run(feeds) {
      const tensors: Record<string, OrtTensor> = {};
      for (const [name, array] of Object.entries(feeds)) tensors[name] = toOrt(array);
      const results = await session.run(tensors, outputs as string[]);
      return outputs.map(name => fromOrt(results[name] as OrtTensor));
    },
    dispose: () => session.release(),
  };
}

function toOrt({ dtype, data, shape }: NDArray): OrtTensor {
  return new OrtTensor(dtype, data as Float32Array, shape);
}

function fromOrt(tensor: OrtTensor): NDArray {
  const dtype = tensor.type as DType;
  return ndarray(dtype, tensor.dims, tensor.data as TypedArrays[typeof dtype]);
}
