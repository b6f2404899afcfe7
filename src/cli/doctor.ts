import { Command } from 'commander';
import type { VideoRuntime } from '../video/runtime.ts';
import { allocatorSettings } from './allocator.ts';

/** `inkling doctor`: what this machine offers. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('show versions, devices, video codecs, cores, memory and allocator settings')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  $ inkling doctor')
    .action(runDoctor);
}

async function runDoctor({ json }: { readonly json?: boolean }): Promise<void> {
  const { printJson, printLines } = await import('./output.ts');
  const facts = await gather();
  if (json) {
    printJson({ ...facts });
    return;
  }
  const { cpu, memory, allocator } = facts;
  const { bytesText } = await import('./units.ts');
  const rows = [
    ['inkling', facts.inkling],
    ['Node', `${facts.node} on ${facts.platform}`],
    ['processor', `${cpu.model}, ${cpu.cores} cores`],
    ['memory', `${bytesText(memory.total)}, ${bytesText(memory.free)} free`],
    ['ONNX Runtime', facts.onnxruntime],
    ['devices', facts.devices.map(({ device, problem }) => (problem === null ? device : `${device} (not usable)`)).join(', ')],
    ['video', videoText(facts.video)],
    ['allocator', allocator.note],
  ];
  printLines(rows.map(([name, value]) => `${name.padEnd(14)}${value}`));
}

async function gather() {
  const os = await import('node:os');
  const { packageVersion } = await import('../train/packageVersion.ts');
  const { videoRuntime } = await import('../video/runtime.ts');
  const { env: runtime } = await import('onnxruntime-common');
  return {
    inkling: packageVersion(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    cpu: { model: os.cpus()[0]?.model.trim() ?? 'unknown', cores: os.availableParallelism() },
    memory: { total: os.totalmem(), free: os.freemem() },
    onnxruntime: runtime.versions.node ?? runtime.versions.common,
    devices: await probeDevices(),
    video: await videoRuntime(),
    allocator: allocatorState(),
  };
}

function videoText({ problem, ffmpeg, license, decoders, missing, ...runtime }: VideoRuntime): string {
  if (problem !== null) return `none works: ${problem}`;
  const lacks = missing.length > 0 ? `; not ${missing.join(', ')}` : '';
  return `FFmpeg ${ffmpeg} (${license}) in ${runtime.package}; decodes ${decoders.join(', ')}${lacks}`;
}

/** A device this installation was built for, and why it cannot be used here (null: it can). */
interface DeviceState {
  readonly device: string;
  readonly problem: string | null;
}

/** Tries the devices in a process of its own. */
async function probeDevices(): Promise<DeviceState[]> {
  const { execFile } = await import('node:child_process');
  const { fileURLToPath } = await import('node:url');
  const { promisify } = await import('node:util');
  const own = fileURLToPath(import.meta.url);
  const probe = own.replace(/doctor\.(ts|js)$/, 'probeDevices.$1');
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, probe], { timeout: 60_000 });
  return JSON.parse(stdout) as DeviceState[];
}

function allocatorState(): { settings: Record<string, string>; note: string } {
  const names = Object.keys(allocatorSettings);
  const settings = Object.fromEntries(names.flatMap(name => (process.env[name] ? [[name, process.env[name]]] : [])));
  if (Object.keys(settings).length > 0) {
    return {
      settings,
      note: `as the environment has it: ${Object.entries(settings)
        .map(entry => entry.join('='))
        .join(' ')}`,
    };
  }
  const note =
    process.platform === 'linux' ? 'train, test, predict and extract set it themselves' : 'nothing to set on this platform';
  return { settings, note };
}
