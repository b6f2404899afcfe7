/** ONNX Runtime in Node (the npm package `onnxruntime-node`). */
import './noTelemetry.ts';
import { env, InferenceSession, listSupportedBackends, Tensor as OrtTensor } from 'onnxruntime-node';
import { type DType, type NDArray, ndarray, type TypedArrays } from '../ndarray.ts';
import { encodeModel, GraphBuilder } from '../onnx.ts';
import type { Device, Runtime, Session, SessionOptions } from './runtime.ts';

// What goes wrong is thrown; the runtime's own lines on standard error would say it a second time.
env.logLevel = 'fatal';

const cudaHint = '; CUDA libraries come with a separate install step of onnxruntime-node, see docs/devices.md';

/** The devices that this installation was built for; whether one is there shows when a session is created on it. */
export function availableDevices(): Device[] {
  const names = new Set(listSupportedBackends().map(backend => backend.name));
  return (['cpu', 'cuda', 'webgpu'] as const).filter(device => names.has(device));
}

/** The runtime of a device. @throws Error naming the devices there are. */
export function nodeRuntime(device: Device = 'cpu'): Runtime {
  const available = availableDevices();
  if (!available.includes(device)) {
    const hint = device === 'cuda' ? cudaHint : '';
    throw new Error(`device ${device} is not available here${hint} (available: ${available.join(', ')})`);
  }
  return { device, createSession: (model, outputs, options) => createSession(device, model, outputs, options) };
}

/** Why a device does not work here, found by trying it with the smallest model; undefined if it does. */
export async function whyMissing(device: Device): Promise<string | undefined> {
  const g = new GraphBuilder();
  const y = g.node('Identity', ['x']);
  const [input, output] = ['x', y].map(name => ({ name, dtype: 'float32' as const, shape: [1] }));
  try {
    const options = { executionProviders: [device], logSeverityLevel: 4 as const };
    const probe = await InferenceSession.create(encodeModel(g, [input], [output]), options);
    await probe.release();
    return undefined;
  } catch (missing) {
    return String((missing as Error).message).split('\n')[0];
  }
}

/** A failure to create a session, said plainly where the device itself is missing. */
async function explained(error: unknown, device: Device): Promise<unknown> {
  const reason = device === 'cpu' ? undefined : await whyMissing(device);
  if (reason === undefined) return error;
  return new Error(`device ${device} is not available here${device === 'cuda' ? cudaHint : ''} (${reason})`);
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
    // A pattern is one block planned for a whole run, beside the arena's own: a training step then takes 1.7 times the memory.
    enableMemPattern: false,
    // As above: a session's own level does not follow the environment's.
    logSeverityLevel: 4,
    ...(options.threads ? { intraOpNumThreads: options.threads } : {}),
    // Threads that spin while they wait take the cores from those that work: 3x on graphs of small ops.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  }).catch(async error => {
    throw await explained(error, device);
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
