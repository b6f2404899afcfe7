/**
 * Run as a process of its own by `doctor`: tries every device and prints `[{device, problem}]` as JSON. Libraries behind the devices
 * write to standard error as they please, which is why this is not done in the command's own process.
 */
import { availableDevices, whyMissing } from '../engine/runtime/node.ts';

const found = [];
for (const device of availableDevices()) found.push({ device, problem: (await whyMissing(device)) ?? null });
process.stdout.write(JSON.stringify(found));
