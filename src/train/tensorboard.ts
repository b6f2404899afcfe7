/** TensorBoard event files of a run (Node). */
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { frameRecord } from '../data/formats/tfRecord.ts';
import { DataError, messageOf } from '../data/index.ts';
import { type EventContent, encodeEvent, eventFileVersion } from './tensorboardEvents.ts';
import type { WallClock } from './wallClock.ts';

/** The folder of a run that holds its event files. */
const tensorboardFolder = 'tensorboard';

/** Takes events; what was added is on disk after `flush`. */
export interface EventLog {
  /** Adds numbers by tag, of this moment. */
  add(step: number, scalars: Readonly<Record<string, number>>): void;
  /** Appends what was added since the last time to the file. @throws DataError naming the file if it cannot be written */
  flush(): Promise<void>;
  /** Closes the file; what was not flushed is given up. */
  close(): Promise<void>;
}

export interface EventLogOptions {
  /** Optimiser steps that the run has done; events of later steps in files that are there already are given up. */
  readonly step: number;
  readonly clock: WallClock;
  /** Markdown by tag, said once in a run. */
  readonly texts?: Readonly<Record<string, string>>;
}

/**
 * Starts an event file in `tensorboard/` of a run. A run that goes on gets a file of its own; it says from which step on what is in
 * the files before it no longer counts. Readers take files in the order of their names, so the seconds in the name always grow.
 * @throws DataError naming the file or folder if it cannot be written
 */
export async function openEventLog(run: string, { step, clock, texts = {} }: EventLogOptions): Promise<EventLog> {
  const folder = join(run, tensorboardFolder);
  const before = await startTimes(folder);
  const newest = Math.max(0, ...before);
  clock.notBefore((newest + 1) * 1000);
  const seconds = Math.floor(clock.now() / 1000);
  const host = hostname().replace(/[^\w.-]/g, '-');
  const path = join(folder, `events.out.tfevents.${String(seconds).padStart(10, '0')}.${host}.${process.pid}.inkling`);

  let pending: Uint8Array[] = [];
  const put = (content: EventContent, at: number): void => {
    pending.push(frameRecord(encodeEvent({ wallTime: clock.now() / 1000, step: at, content })));
  };
  const file = await create(folder, path);
  const flush = async (): Promise<void> => {
    const bytes = Buffer.concat(pending);
    pending = [];
    try {
      await file.appendFile(bytes);
      await file.datasync();
    } catch (thrown) {
      throw unwritable(path, thrown);
    }
  };
  put({ fileVersion: eventFileVersion }, 0);
  put({ sessionStart: true }, step + 1);
  if (before.length === 0 && Object.keys(texts).length > 0) put({ texts }, step);
  try {
    await flush();
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
  return { add: (at, scalars) => put({ scalars }, at), flush, close: () => file.close() };
}

/** The seconds in the names of the event files of a folder. */
async function startTimes(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => []);
  return names.flatMap(name => {
    const seconds = /^events\.out\.tfevents\.(\d+)\./.exec(name)?.[1];
    return seconds === undefined ? [] : [Number(seconds)];
  });
}

async function create(folder: string, path: string): Promise<FileHandle> {
  try {
    await mkdir(folder, { recursive: true });
    return await open(path, 'wx');
  } catch (thrown) {
    throw unwritable(path, thrown);
  }
}

function unwritable(path: string, thrown: unknown): DataError {
  return new DataError(path, `cannot be written (${messageOf(thrown)})`, { cause: thrown });
}
