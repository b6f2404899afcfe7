/** Clips of any kind, feature files or videos, as sequences of frame features (Node). */
import { extname } from 'node:path';
import { DataError, exists, readFeatures } from '../data/index.ts';
import type { Device } from '../engine/index.ts';
import { fold, type Key, key, uniform } from '../engine/random.ts';
import type { Frames } from '../fewshot/matching/sequenceDistances.ts';
import { nearestRows, segmentPlaces } from '../fewshot/nearestRows.ts';
import type { TaughtBackbone } from '../fewshot/taught.ts';
import { type Backbone, type BackboneOptions, openBackbone } from '../video/backbone.ts';
import { type FrameView, frameViews } from '../video/frameViews.ts';
import { sha256OfFile } from './sha256.ts';

/** A backbone and how it is to be used. */
export interface BackboneChoice extends BackboneOptions {
  readonly path: string;
  /** Short side that frames are scaled to before the square is cut out. Default: the backbone's size. */
  readonly shortSide?: number;
  /** What the file's SHA-256 has to be. */
  readonly sha256?: string;
}

export interface ClipReaderOptions {
  /** T: frames of a sequence. */
  readonly frames: number;
  /** For videos; without one, feature files alone are read. */
  readonly backbone?: BackboneChoice;
  readonly device?: Device;
  readonly threads?: number;
  readonly onWarning?: (line: string) => void;
}

/** Reads clips. */
export interface ClipReader {
  /** The middle frames of T equal parts of a clip, through the backbone if it is a video. @throws DataError naming the file */
  read(file: string): Promise<Frames>;
  /** The clip changed in ways that do not change what it shows. Videos: other frames, mirrored, cut out elsewhere; features: other rows. */
  views(file: string): Promise<Frames[]>;
  readonly backbone: TaughtBackbone | null;
  dispose(): Promise<void>;
}

/** Views of a clip, of one or more. */
export const viewCount = 8;

/** Pictures of views are scaled up by this much, so that squares can lie elsewhere. */
const viewZoom = 8 / 7;

/** Whether a file holds features, by its ending. */
export function isFeatureFile(file: string): boolean {
  return ['.npy', '.npz'].includes(extname(file).toLowerCase());
}

/** Opens the backbone, if there is one. @throws DataError as `openBackbone`, or if the file is not the one it was */
export async function clipReader({ frames, backbone, device, threads, onWarning }: ClipReaderOptions): Promise<ClipReader> {
  if (backbone?.sha256 !== undefined) await checkUnchanged(backbone.path, backbone.sha256);
  const network = backbone && (await openBackbone(backbone.path, { ...backbone, device, threads }));
  const shortSide = network && Math.max(network.size, backbone?.shortSide ?? network.size);

  async function videoFeatures(file: string, side: number, views: readonly View[]): Promise<Frames[]> {
    if (!network) throw new DataError(file, 'expected features (.npy, .npz); a video needs --backbone MODEL.onnx');
    const { size, window } = network;
    const found = await frameViews(file, { size, shortSide: side, views: views.map(view => frameView(view, frames, window)) });
    if (found.damage !== undefined) onWarning?.(`${file}: ${found.damage}`);
    const sequences: Frames[] = [];
    for (const pixels of found.pixels) sequences.push(await featuresOf(network, pixels, frames));
    return sequences;
  }

  return {
    async read(file) {
      if (isFeatureFile(file)) return nearestRows(await readFeatures([file]), frames);
      return (await videoFeatures(file, shortSide ?? 0, [{}]))[0];
    },
    async views(file) {
      const keys = Array.from({ length: viewCount }, (_, v) => fold(key(0), v));
      if (isFeatureFile(file)) {
        const features = await readFeatures([file]);
        return keys.map(each => nearestRows(features, frames, placesOf(each, frames)));
      }
      const changed = keys.map((each, v) => ({
        places: placesOf(each, frames),
        crop: [(v >> 1) & 1, (v >> 2) & 1] as const,
        flip: v % 2 === 1,
      }));
      return videoFeatures(file, Math.round((shortSide ?? 0) * viewZoom), changed);
    },
    backbone:
      network && backbone
        ? {
            path: backbone.path,
            sha256: network.sha256,
            output: network.output,
            layout: network.layout,
            window: network.window,
            size: network.size,
            shortSide: shortSide!,
            scale: network.scale,
            mean: network.mean,
            std: network.std,
          }
        : null,
    async dispose() {
      await network?.dispose();
    },
  };
}

interface View extends Omit<FrameView, 'places'> {
  /** Where in its part of the video each frame lies; default: in the middle. */
  readonly places?: ArrayLike<number>;
}

function placesOf(from: Key, frames: number): Float32Array {
  return uniform(from, [frames]).data as Float32Array;
}

/** The frames of a view with the windows around them. */
function frameView({ places, ...view }: View, frames: number, window: number): FrameView {
  return {
    ...view,
    places: length =>
      Array.from(segmentPlaces(length, frames, places)).flatMap(centre =>
        Array.from({ length: window }, (_, w) => Math.min(length - 1, Math.max(0, centre - Math.floor(window / 2) + w))),
      ),
  };
}

async function featuresOf(network: Backbone, pixels: Uint8Array, frames: number): Promise<Frames> {
  const bytes = network.size * network.size * 3 * network.window;
  const parts: Float32Array[] = [];
  for (let at = 0; at < frames; at += network.batch) {
    const inputs = Math.min(network.batch, frames - at);
    parts.push(await network.run(pixels.subarray(at * bytes, (at + inputs) * bytes), inputs));
  }
  const width = network.width()!;
  const data = new Float32Array(frames * width);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { data, frames, width };
}

async function checkUnchanged(path: string, expected: string): Promise<void> {
  if (!(await exists(path)))
    throw new DataError(path, 'the backbone that the recogniser was taught with is not there; --backbone FILE says where it is');
  const { digest } = await sha256OfFile(path);
  if (digest !== expected)
    throw new DataError(
      path,
      `the backbone has changed since the recogniser was taught: expected SHA-256 ${expected.slice(0, 12)}..., found ${digest.slice(0, 12)}...; teach it again`,
    );
}
