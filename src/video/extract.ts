/** Features of videos from a frozen backbone, written as a feature folder (Node only). */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type Extractor,
  type FeatureFolder,
  type FeatureItem,
  featureFolderFile,
  readFeatureFolder,
} from '../data/featureFolder.ts';
import { isOutOfSpace, isTemporaryFile, writeFileAtomic } from '../data/files.ts';
import { DataError, messageOf } from '../data/formats/dataError.ts';
import { createRowFile } from '../data/rowFile.ts';
import type { Backbone } from './backbone.ts';
import { centreCrop } from './crops.ts';
import { openVideo } from './decode.ts';
import type { VideoFile } from './videoFiles.ts';

/** How features are made, beside what the backbone says. */
export interface ExtractOptions {
  /** The feature folder: new, or one to go on with. */
  readonly out: string;
  /** Short side that frames are scaled to before the square is cut out. Default: the backbone's size. */
  readonly shortSide?: number;
  /** Frames from a row to the next. Default: the backbone's window. */
  readonly stride?: number;
  /** The rate that videos are brought to, by leaving frames out or repeating them. Default: their own. */
  readonly fps?: number;
  readonly signal?: AbortSignal;
  readonly onWarning?: (line: string) => void;
  /** Videos done; called now and then within a video too, with the part of it that is done if that is known. */
  readonly onProgress?: (done: number, total: number, video: string) => void;
}

/** What came of it. */
export interface ExtractSummary {
  readonly out: string;
  /** Videos with features, those that had them before, and those that gave none. */
  readonly done: number;
  readonly skipped: number;
  readonly failures: readonly { readonly video: string; readonly problem: string }[];
  readonly warnings: readonly string[];
  readonly frames: number;
  readonly rows: number;
  readonly interrupted: boolean;
}

/** Milliseconds between two writings of `features.json`: what a kill can lose is the index of that time, whose videos are done again. */
const saveEvery = 10_000;

/**
 * Decodes each video once, in bounded memory, and writes `<name>.npy` `[rows, F]` and, in the end or when stopped, `features.json`. Videos that
 * have features already are left alone; one that fails is listed, and the work goes on. Row r is of the frames
 * `r stride ... r stride + window - 1`; a video shorter than the window repeats its last frame.
 * @throws DataError if the folder holds features that were made otherwise, or the disk is full
 */
export async function extractFeatures(
  videos: readonly VideoFile[],
  backbone: Backbone,
  options: ExtractOptions,
): Promise<ExtractSummary> {
  const { out, signal, onWarning, onProgress } = options;
  const extractor = describe(backbone, options);
  await mkdir(out, { recursive: true });
  await removeTemporaryFiles(videos, out);
  const before = await readFeatureFolder(out);
  if (before) checkSame(before.extractor, extractor, out);
  const items = new Map<string, FeatureItem>((before?.items ?? []).map(item => [item.file, item]));
  const failures = new Map<string, string>();
  const warnings: string[] = [];
  let [done, skipped, frames, rows] = [0, 0, 0, 0];
  const save = (): Promise<void> => saveFolder(out, { extractor, items: [...items.values()], failures: listed(failures) });
  let savedAt = performance.now();
  try {
    for (const [i, video] of videos.entries()) {
      if (signal?.aborted) break;
      const file = `${video.name}.npy`;
      if (items.has(file) && (await isFile(join(out, file)))) {
        skipped++;
        continue;
      }
      try {
        const item = await extractVideo(video, backbone, options, part => onProgress?.(i + part, videos.length, video.name));
        if (!item) break;
        items.set(file, item);
        done++;
        frames += item.frames;
        rows += item.rows;
        if (item.warning !== undefined) {
          warnings.push(`${video.path}: ${item.warning}`);
          onWarning?.(`${video.path}: ${item.warning}`);
        }
      } catch (error) {
        // A full disk or a backbone that does not work would fail every video.
        if (!(error instanceof VideoProblem)) throw error;
        failures.set(video.path, error.message);
        onWarning?.(error.message);
      }
      onProgress?.(i + 1, videos.length, video.name);
      if (performance.now() - savedAt > saveEvery) {
        await save();
        savedAt = performance.now();
      }
    }
  } finally {
    await save();
  }
  const interrupted = signal?.aborted === true && done + skipped + failures.size < videos.length;
  return { out, done, skipped, failures: listed(failures), warnings, frames, rows, interrupted };
}

/** Something is wrong with one video; the others may be right. */
class VideoProblem extends Error {}

function listed(failures: ReadonlyMap<string, string>): { video: string; problem: string }[] {
  return [...failures].map(([video, message]) => ({ video, problem: message.replace(`${video}: `, '') }));
}

function describe(backbone: Backbone, { shortSide, stride, fps }: ExtractOptions): Extractor {
  const { file, sha256, output, size, scale, mean, std, window, layout } = backbone;
  return {
    file,
    sha256,
    output,
    size,
    scale,
    mean: [...mean],
    std: [...std],
    fps: fps ?? null,
    stride: stride ?? window,
    window,
    shortSide: shortSide ?? size,
    layout,
    resize: 'bicubic',
    crop: 'centre',
  };
}

function checkSame(before: Extractor, now: Extractor, out: string): void {
  const differing = Object.keys(now).find(name => JSON.stringify(before[name]) !== JSON.stringify(now[name]));
  if (differing === undefined) return;
  const [was, is] = [before[differing], now[differing]].map(value => JSON.stringify(value) ?? 'nothing');
  throw new DataError(
    join(out, featureFolderFile),
    `the features in the folder were made with ${differing} ${was}, not ${is}; choose another --out`,
  );
}

/** Removes what a killed extraction left half written, in the folders that this one writes to. */
async function removeTemporaryFiles(videos: readonly VideoFile[], out: string): Promise<void> {
  const folders = new Set([out, ...videos.map(({ name }) => dirname(join(out, name)))]);
  for (const folder of folders) {
    const names = (await isFolder(folder)) ? await readdir(folder) : [];
    for (const name of names) if (isTemporaryFile(name)) await rm(join(folder, name), { force: true });
  }
}

async function saveFolder(out: string, { failures, ...folder }: FeatureFolder): Promise<void> {
  const content = { ...folder, ...(failures && failures.length > 0 ? { failures } : {}) };
  await writeFileAtomic(join(out, featureFolderFile), `${JSON.stringify(content, null, 1)}\n`);
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

/** The features of one video; undefined if it was stopped on the way. @throws VideoProblem if the video is to blame */
async function extractVideo(
  { path, name, label }: VideoFile,
  backbone: Backbone,
  { out, shortSide = backbone.size, stride = backbone.window, fps, signal }: ExtractOptions,
  onPart: (part: number) => void,
): Promise<FeatureItem | undefined> {
  const blameVideo = (error: unknown): never => {
    throw error instanceof DataError ? new VideoProblem(error.message, { cause: error }) : error;
  };
  const video = await openVideo(path).catch(blameVideo);
  const { facts } = video;
  const target = join(out, `${name}.npy`);
  await mkdir(dirname(target), { recursive: true });
  const file = await createRowFile(target);
  const clips = windowed(backbone, stride, (rows, width) => file.append(rows, width));
  const expected = facts.statedFrames ?? (facts.framesPerSecond ?? 0) * (facts.statedDuration ?? 0);
  let warning: string | undefined;
  try {
    const pace = pacer(facts.framesPerSecond, fps);
    const frames = video.frames({
      size: ([height, width]) => scaledSize(height, width, shortSide),
      onDamage: line => {
        warning = line;
      },
    });
    let seen = 0;
    for (;;) {
      const next = await frames.next().catch(blameVideo);
      if (next.done) {
        await clips.finish();
        const rows = await file.finish();
        const { frames: decoded, duration } = next.value;
        const seconds = duration ?? (facts.framesPerSecond ? decoded / facts.framesPerSecond : (facts.statedDuration ?? 0));
        return {
          file: `${name}.npy`,
          frames: decoded,
          rows,
          duration: seconds,
          fps: facts.framesPerSecond ?? null,
          ...(label === undefined ? {} : { label }),
          ...(warning === undefined ? {} : { warning }),
        };
      }
      if (signal?.aborted) return undefined;
      const { count, height, width, data } = next.value;
      const { top, left } = centreCrop([height, width], backbone.size);
      for (let i = 0; i < count; i++) {
        for (let repeat = pace(); repeat > 0; repeat--) await clips.push(data.subarray(i * height * width * 3), width, top, left);
      }
      seen += count;
      if (expected > 0) onPart(Math.min(seen / expected, 1));
    }
  } catch (error) {
    if (isOutOfSpace(error)) throw new DataError(target, messageOf(error), { cause: error });
    throw error;
  } finally {
    await file.discard();
    await video.close();
  }
}

function scaledSize(height: number, width: number, side: number): [number, number] {
  const scale = side / Math.min(height, width);
  return [Math.max(side, Math.round(height * scale)), Math.max(side, Math.round(width * scale))];
}

/** How often each frame is taken, so that `from` frames a second become `to`. */
function pacer(from: number | undefined, to: number | undefined): () => number {
  const ratio = from === undefined || to === undefined ? 1 : to / from;
  let frame = 0;
  // The first frame is always taken.
  return () => Math.ceil(++frame * ratio - 1e-9) - Math.ceil((frame - 1) * ratio - 1e-9);
}

/** Gathers frames to windows and windows to batches, and runs the backbone on those. */
function windowed(backbone: Backbone, stride: number, use: (rows: Float32Array, width: number) => Promise<void>) {
  const { size, window, batch } = backbone;
  const bytes = size * size * 3;
  const pending = new Uint8Array(batch * window * bytes);
  // The last frames, as many as a window has, in a ring.
  const ring = new Uint8Array(window * bytes);
  let [pushed, filled, rows] = [0, 0, 0];
  const run = async (): Promise<void> => {
    if (filled === 0) return;
    const features = await backbone.run(pending.subarray(0, filled * window * bytes), filled);
    filled = 0;
    await use(features, backbone.width()!);
  };
  const take = async (): Promise<void> => {
    for (let t = 0; t < window; t++) {
      const slot = (pushed + t) % window;
      pending.set(ring.subarray(slot * bytes, (slot + 1) * bytes), (filled * window + t) * bytes);
    }
    filled++;
    rows++;
    if (filled === batch) await run();
  };
  const advance = async (): Promise<void> => {
    pushed++;
    // Frame `pushed - 1` ends the window of row (pushed - window) / stride.
    if (pushed >= window && (pushed - window) % stride === 0) await take();
  };
  return {
    /** Takes the square at (top, left) of a frame whose rows are `width` pixels. */
    async push(frame: Uint8Array, width: number, top: number, left: number): Promise<void> {
      const slot = (pushed % window) * bytes;
      for (let y = 0; y < size; y++) {
        const from = ((top + y) * width + left) * 3;
        ring.set(frame.subarray(from, from + 3 * size), slot + 3 * y * size);
      }
      await advance();
    },
    async finish(): Promise<void> {
      while (rows === 0 && pushed > 0) {
        const last = ((pushed - 1) % window) * bytes;
        ring.copyWithin((pushed % window) * bytes, last, last + bytes);
        await advance();
      }
      await run();
    },
  };
}
