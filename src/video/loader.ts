/** Clips made ahead of the step that takes them, in worker threads (Node only). */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { DataError } from '../data/formats/dataError.ts';
import { type ClipRequest, type ClipResult, makeClips } from './clip.ts';

/** Clips of one request, or why there are none. */
export type LoadedClips = ClipResult | { readonly problem: string };

export interface ClipLoaderOptions {
  /** Threads; 0 works in this one. Default: one fewer than there are cores, at least 1. */
  readonly workers?: number;
  /** Requests that are worked on or finished and not yet taken, at most. Default: two for each worker. */
  readonly ahead?: number;
}

/** Makes clips ahead. */
export interface ClipLoader {
  /**
   * The results of requests in their order, whichever thread is faster. The order and the keys alone decide what comes, so neither the number of
   * workers nor their speed changes anything. A video that cannot be read gives a `problem` in its place; any other error is thrown once.
   */
  load(requests: Iterable<ClipRequest>): AsyncGenerator<LoadedClips>;
  /** Ends the workers, each after the clips it is at: a thread that ends inside FFmpeg would take the process with it. */
  close(): Promise<void>;
}

/** From a worker: the result of request `id`, why its video gives none, or an error that is no video's fault. */
export type WorkerReply = { readonly id: number; readonly result: LoadedClips } | { readonly id: number; readonly error: string };

/** A loader; {@link ClipLoader.close} it. Frame counts are remembered, so that a video is measured once. */
export function clipLoader({
  workers = Math.max(1, availableParallelism() - 1),
  ahead = 2 * Math.max(1, workers),
}: ClipLoaderOptions = {}): ClipLoader {
  const lengths = new Map<string, number>();
  const pool = workers === 0 ? localPool() : workerPool(workers);
  return {
    async *load(requests) {
      const started: { readonly path: string; readonly result: Promise<LoadedClips> }[] = [];
      for (const request of requests) {
        const length = request.length ?? lengths.get(request.path);
        const result = pool.run({ ...request, length });
        // It is looked at in its turn; until then a failure is nobody's.
        result.catch(() => {});
        started.push({ path: request.path, result });
        if (started.length >= ahead) yield await taken(started.shift()!);
      }
      while (started.length > 0) yield await taken(started.shift()!);
    },
    close: pool.close,
  };

  async function taken({ path, result }: { readonly path: string; readonly result: Promise<LoadedClips> }): Promise<LoadedClips> {
    const loaded = await result;
    if ('length' in loaded) lengths.set(path, loaded.length);
    return loaded;
  }
}

/** {@link makeClips} with a video's own problem as a value. */
export async function tryClips(request: ClipRequest): Promise<LoadedClips> {
  try {
    return await makeClips(request);
  } catch (error) {
    if (error instanceof DataError) return { problem: error.message };
    throw error;
  }
}

interface Pool {
  run(request: ClipRequest): Promise<LoadedClips>;
  close(): Promise<void>;
}

function localPool(): Pool {
  return { run: tryClips, close: async () => {} };
}

function workerPool(count: number): Pool {
  interface Job {
    readonly id: number;
    readonly request: ClipRequest;
    resolve(result: LoadedClips): void;
    reject(error: Error): void;
  }
  const waiting: Job[] = [];
  const running = new Map<Worker, Job>();
  const idle: Worker[] = [];
  let broken: Error | undefined;
  let closed = false;
  let ids = 0;
  /** Called for each worker that has finished what it was at while the loader was being closed. */
  const atRest = new Map<Worker, () => void>();

  const dispatch = (): void => {
    while (idle.length > 0 && waiting.length > 0) {
      const [worker, job] = [idle.shift()!, waiting.shift()!];
      running.set(worker, job);
      worker.ref();
      worker.postMessage({ id: job.id, request: job.request });
    }
  };
  const fail = (error: Error): void => {
    broken ??= error;
    for (const job of [...running.values(), ...waiting]) job.reject(broken);
    running.clear();
    waiting.length = 0;
  };
  const finished = (worker: Worker, reply: WorkerReply): void => {
    const job = running.get(worker);
    atRest.get(worker)?.();
    if (job?.id !== reply.id) return;
    running.delete(worker);
    idle.push(worker);
    // An idle worker keeps no process alive.
    worker.unref();
    if ('error' in reply) job.reject(new Error(reply.error));
    else job.resolve(reply.result);
    dispatch();
  };
  const all = Array.from({ length: count }, () => {
    const worker = startWorker();
    worker.on('message', (reply: WorkerReply) => finished(worker, reply));
    worker.on('error', fail);
    worker.on('exit', code => {
      if (!closed) fail(new Error(`a decoding thread ended with code ${code}`));
    });
    worker.unref();
    idle.push(worker);
    return worker;
  });

  return {
    run: request =>
      new Promise((resolve, reject) => {
        if (closed || broken) {
          reject(broken ?? new Error('the clip loader is closed'));
          return;
        }
        waiting.push({ id: ids++, request, resolve, reject });
        dispatch();
      }),
    async close() {
      if (closed) return;
      closed = true;
      const busy = [...running.keys()].map(
        worker =>
          new Promise<void>(resolve => {
            atRest.set(worker, resolve);
            worker.once('exit', () => resolve());
          }),
      );
      fail(new Error('the clip loader is closed'));
      await Promise.all(busy);
      await Promise.all(all.map(worker => worker.terminate()));
    },
  };
}

/** From the built files a worker starts by itself; from source (tests, benches) it needs tsx to read TypeScript. */
function startWorker(): Worker {
  const { url } = import.meta;
  if (url.endsWith('.js')) return new Worker(new URL('./loaderWorker.js', url));
  const workerData = { tsx: import.meta.resolve('tsx/esm/api'), entry: new URL('./loaderWorker.ts', url).href };
  const start = `const { workerData } = require('node:worker_threads');
    import(workerData.tsx).then(tsx => { tsx.register(); return import(workerData.entry); });`;
  return new Worker(start, { eval: true, workerData });
}
