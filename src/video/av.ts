/**
 * FFmpeg through the npm package `node-av` (Node only): loaded when the first video is opened, and silenced. What FFmpeg would write to
 * standard error is kept for the one warning that a damaged video gets.
 */
import { isMainThread } from 'node:worker_threads';
import { DataError, messageOf } from '../data/formats/dataError.ts';

/** FFmpeg's functions and its constants, under its own names. */
export type Av = typeof import('node-av/lib') & typeof import('node-av/constants');

let loading: Promise<Av> | undefined;

/** The library. @throws DataError if this platform has no FFmpeg from it */
export function loadAv(): Promise<Av> {
  loading ??= Promise.all([import('node-av/lib'), import('node-av/constants')]).then(
    ([lib, constants]) => {
      const av = { ...constants, ...lib };
      av.Log.setLevel(av.AV_LOG_QUIET);
      return av;
    },
    error => {
      const place = `video decoding on ${process.platform}-${process.arch}`;
      throw new DataError(place, `the package node-av has no FFmpeg for it (${messageOf(error)})`, { cause: error });
    },
  );
  return loading;
}

/** What FFmpeg says while a video is decoded. */
export interface Listener {
  /** The first message of level error, and how many there were, after those on their way have arrived. */
  heard(): Promise<{ readonly first: string | undefined; readonly count: number }>;
  close(): void;
}

let listeners = 0;
let mixed = false;

/**
 * Collects FFmpeg's error messages. They belong to the process, not to a video: in a worker, or where two videos are open at once, nobody
 * could tell whose they are, and nothing is collected.
 */
export function listen(av: Av): Listener {
  let first: string | undefined;
  let count = 0;
  listeners++;
  if (listeners > 1) mixed = true;
  else if (isMainThread) {
    mixed = false;
    av.Log.setLevel(av.AV_LOG_ERROR);
    av.Log.setCallback(
      (_, message) => {
        count++;
        first ??= message.trim().replace(/\s+/g, ' ');
      },
      { maxLevel: av.AV_LOG_ERROR },
    );
  }
  let open = true;
  return {
    async heard() {
      await new Promise(resolve => setImmediate(resolve));
      return mixed ? { first: undefined, count: 0 } : { first, count };
    },
    close() {
      if (!open) return;
      open = false;
      listeners--;
      if (listeners === 0 && isMainThread) {
        av.Log.resetCallback();
        av.Log.setLevel(av.AV_LOG_QUIET);
      }
    },
  };
}
