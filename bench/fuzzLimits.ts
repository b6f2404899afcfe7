/** What one input may take. */

/** Milliseconds of CPU time, garbage collection included. */
export const cpuLimit = 2000;

/** Bytes of memory, for an input of so many bytes. */
export function memoryLimit(bytes: number): number {
  return 50 * bytes + 64 * 2 ** 20;
}

/** Milliseconds without progress after which a process is taken to hang. Machines that do other work too need some patience. */
export const hangLimit = 20_000;

/** Resident bytes at which a process is killed. */
export const residentLimit = 1.5 * 2 ** 30;

/** Heap of a process in megabytes. */
export const heapMegabytes = 512;
