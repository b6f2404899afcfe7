import type { Device, Runtime } from './runtime.ts';

const runtimes = new Map<Device, Promise<Runtime>>();

/** The runtime of this environment, loaded at first use: ONNX Runtime is large, and many commands never need it. */
export function defaultRuntime(device: Device): Promise<Runtime> {
  let runtime = runtimes.get(device);
  if (!runtime) {
    runtime = import('./node.ts').then(({ nodeRuntime }) => nodeRuntime(device));
    runtime.catch(() => runtimes.delete(device));
    runtimes.set(device, runtime);
  }
  return runtime;
}
