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
   * The clips of one request, as soon as a worker has made them. Requests wait at their worker, so that work goes on while this thread is kept busy by a
   * training step. The request alone decides what comes.
   */
  make(request: ClipRequest): Promise<LoadedClips>;
  /**
   * The results of requests in their order, whichever thread is faster. The order and the keys alone decide what comes, so neither the number of
   * workers nor their speed changes anything. A video that cannot be read gives a `problem` in its place; any other error is thrown once.
   */
  load(requests: Iterable<ClipRequest>): AsyncGenerator<LoadedClips>;
  /** Ends the workers, each after the clips it is at: a thread that ends inside FFmpeg would take the process with it. */
  close(): Promise<void>;
}

/** To a worker: make the clips of request `id`; or end, and leave out what is not begun. */
export type WorkerOrder = { readonly id: number; readonly request: ClipRequest } | 'end';

/** From a worker: the result of request `id`, why its video gives none, or an error that is no video's fault. */
export type WorkerReply = { readonly id: number; readonly result: LoadedClips } | { readonly id: number; readonly error: string };

/** A loader; {@link ClipLoader.close} it. Frame counts are remembered, so that a video is measured once. */
export function clipLoader({
  workers = Math.max(1, availableParallelism() - 1),
  ahead = 2 * Math.max(1, workers),
}: ClipLoaderOptions = {}): ClipLoader {
  const lengths = new Map<string, number>();
  const pool = workers === 0 ? localPool() : workerPool(workers);
  const make = async (request: ClipRequest): Promise<LoadedClips> => {
    const loaded = await pool.run({ ...request, length: request.length ?? lengths.get(request.path) });
    if ('length' in loaded) lengths.set(request.path, loaded.length);
    return loaded;
  };
  return {
    make,
    async *load(requests) {
      const started: Promise<LoadedClips>[] = [];
      for (const request of requests) {
        const result = make(request);
        // It is looked at in its turn; until then a failure is nobody's.
        result.catch(() => {});
        started.push(result);
        if (started.length >= ahead) yield await started.shift()!;
      }
      while (started.length > 0) yield await started.shift()!;
    },
    close: pool.close,
  };
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
    resolve(result: LoadedClips): void;
    reject(error: Error): void;
  }
  interface Hand {
    readonly worker: Worker;
    /** In the order the worker takes them. */
    readonly jobs: Job[];
    readonly exited: Promise<void>;
  }
  let broken: Error | undefined;
  let closed = false;
  let ids = 0;
  const fail = (error: Error): void => {
    broken ??= error;
    for (const { jobs } of hands) for (const job of jobs.splice(0)) job.reject(broken);
  };
  const finished = ({ worker, jobs }: Hand, reply: WorkerReply): void => {
    if (jobs[0]?.id !== reply.id) return;
    const job = jobs.shift()!;
    // An idle worker keeps no process alive.
    if (jobs.length === 0) worker.unref();
    if ('error' in reply) job.reject(new Error(reply.error));
    else job.resolve(reply.result);
  };
  const hands: readonly Hand[] = Array.from({ length: count }, () => {
    const worker = startWorker();
    const exited = new Promise<void>(resolve => worker.once('exit', () => resolve()));
    const hand: Hand = { worker, jobs: [], exited };
    worker.on('message', (reply: WorkerReply) => finished(hand, reply));
    worker.on('error', fail);
    worker.on('exit', code => {
      if (!closed) fail(new Error(`a decoding thread ended with code ${code}`));
    });
    worker.unref();
    return hand;
  });

  return {
    run: request =>
      new Promise((resolve, reject) => {
        if (closed || broken) {
          reject(broken ?? new Error('the clip loader is closed'));
          return;
        }
        const { worker, jobs } = hands.reduce((least, hand) => (hand.jobs.length < least.jobs.length ? hand : least));
        const id = ids++;
        jobs.push({ id, resolve, reject });
        worker.ref();
        worker.postMessage({ id, request } satisfies WorkerOrder);
      }),
    async close() {
      if (closed) return;
      closed = true;
      fail(new Error('the clip loader is closed'));
      for (const { worker } of hands) {
        worker.ref();
        worker.postMessage('end' satisfies WorkerOrder);
      }
      await Promise.all(hands.map(({ exited }) => exited));
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
