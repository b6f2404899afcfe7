/** Decoding video files (Node only): what a file is, and its frames as RGB, in batches and bounded memory. */
import { stat } from 'node:fs/promises';
import type { CodecContext, FormatContext, Frame, Packet, Stream } from 'node-av/lib';
import { DataError } from '../data/formats/dataError.ts';
import { type Av, listen, loadAv } from './av.ts';
import { isMirrored, type Orientation, orientationOf, rotationOf, swapsSides, upright } from './orient.ts';
import { frameScaler } from './scaler.ts';

/** What a video file says about its video stream; decoding may find otherwise. */
export interface VideoFacts {
  readonly codec: string;
  /** Pixels as shown: after {@link rotation}. */
  readonly width: number;
  readonly height: number;
  /** Clockwise turn in degrees that is applied to the stored picture, after it was mirrored (left to right) if `mirrored` says so. */
  readonly rotation: number;
  readonly mirrored: boolean;
  /** Width to height of a stored pixel, `[1, 1]` if not stated. Frames are not stretched by it. */
  readonly sampleAspectRatio: readonly [number, number];
  /** Average frames a second; undefined if unknown. */
  readonly framesPerSecond: number | undefined;
  /** Number of frames that the container states; undefined if it does not. */
  readonly statedFrames: number | undefined;
  /** Seconds that the container states. */
  readonly statedDuration: number | undefined;
}

/** Pixels of a picture. */
export type PictureSize = readonly [height: number, width: number];

/** How frames are decoded. */
export interface DecodeOptions {
  /** Size to scale to (by libswscale, bicubic, as `ffmpeg -vf scale` does), from the size shown. Default: not scaled. */
  readonly size?: (shown: PictureSize) => PictureSize;
  /** Numbers of the frames to take, from 0, ascending. Default: all. */
  readonly indices?: ArrayLike<number>;
  /** Frames in a batch. Default 16. */
  readonly batch?: number;
  /** Threads of the decoder and of the scaler. Default: one for each core. */
  readonly threads?: number;
  /** Told once, in one line without the file's name, that decoding met errors. */
  readonly onDamage?: (line: string) => void;
}

/** Frames in a row. */
export interface FrameBatch {
  /** Number of the first frame in the video (or, with `indices`, its place among them). */
  readonly first: number;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** `[count, height, width, 3]`, RGB. The memory is used again for the next batch: copy what is to be kept. */
  readonly data: Uint8Array;
}

/** What decoding a whole video found. */
export interface DecodeSummary {
  /** Frames decoded, the ones not asked for included. */
  readonly frames: number;
  /** Seconds from the first frame's start to the last one's end by their timestamps; undefined without those. */
  readonly duration: number | undefined;
}

/** An opened video file. Close it, or decode it to its end. */
export interface Video {
  readonly facts: VideoFacts;
  /**
   * Decodes the frames, once. Errors in the stream are passed over as FFmpeg does, and told to `onDamage` at the end.
   * @throws DataError if there is no frame at all, or fewer than `indices` asks for
   */
  frames(options?: DecodeOptions): AsyncGenerator<FrameBatch, DecodeSummary>;
  close(): Promise<void>;
}

/**
 * Opens a video file of any container and codec that FFmpeg reads.
 * @throws DataError in one line: no such file, no video in it, nothing that FFmpeg can read
 */
export async function openVideo(path: string): Promise<Video> {
  const status = await stat(path).catch(() => undefined);
  if (!status) throw new DataError(path, 'no such file');
  if (status.isDirectory()) throw new DataError(path, 'expected a video file, found a folder');
  if (status.size === 0) throw new DataError(path, 'expected a video, found an empty file');
  const av = await loadAv();
  const listener = listen(av);
  const format = new av.FormatContext();
  format.allocContext();
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    listener.close();
    await format.closeInput();
  };
  try {
    // Otherwise a colon in the name would make it an address.
    const opened = await format.openInput(`file:${path}`);
    if (opened < 0) throw new DataError(path, `expected a video, found a damaged or unknown file (${reason(av, opened)})`);
    const { stream, decoder } = await findStream(av, format, path);
    const { facts, orientation } = describe(av, format, stream, decoder.name ?? 'unknown');
    const opener = { av, format, stream, decoder, path, facts, orientation };
    async function* frames(options: DecodeOptions = {}): AsyncGenerator<FrameBatch, DecodeSummary> {
      try {
        const { summary, damage } = yield* decode(opener, options);
        const { first, count } = await listener.heard();
        const damaged = damage.frames + damage.packets;
        if (damaged + count > 0) options.onDamage?.(damageLine(damage.frames, summary.frames, first ?? damage.first));
        return summary;
      } finally {
        await close();
      }
    }
    return { facts, frames, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The number of frames that decoding gives, which a container may not state or state wrongly. @throws DataError as {@link openVideo} */
export async function countFrames(path: string): Promise<number> {
  const frames = (await openVideo(path)).frames({ indices: [] });
  for (;;) {
    const { done, value } = await frames.next();
    if (done) return value.frames;
  }
}

interface Opened {
  readonly av: Av;
  readonly format: FormatContext;
  readonly stream: Stream;
  readonly decoder: NonNullable<ReturnType<Av['Codec']['findDecoder']>>;
  readonly path: string;
  readonly facts: VideoFacts;
  readonly orientation: Orientation;
}

function reason(av: Av, code: number): string {
  return av.FFmpegError.strerror(code);
}

async function findStream(av: Av, format: FormatContext, path: string): Promise<Pick<Opened, 'stream' | 'decoder'>> {
  const analysed = await format.findStreamInfo();
  if (analysed < 0) throw new DataError(path, `expected a video, found a damaged file (${reason(av, analysed)})`);
  const best: unknown = format.findBestStream(av.AVMEDIA_TYPE_VIDEO, -1, -1, true);
  const found = best as { streamIndex?: number; decoder?: Opened['decoder'] | null } | number;
  const index = typeof found === 'number' ? found : (found.streamIndex ?? -1);
  const decoder = typeof found === 'number' ? undefined : found.decoder;
  if (index === av.AVERROR_DECODER_NOT_FOUND) throw new DataError(path, 'FFmpeg has no decoder for its video');
  const stream = index < 0 ? undefined : format.streams[index];
  // A cover beside sound is a stream of one picture.
  if (!stream || !decoder || stream.disposition & av.AV_DISPOSITION_ATTACHED_PIC)
    throw new DataError(path, 'no video stream in it');
  if (stream.codecpar.width <= 0 || stream.codecpar.height <= 0)
    throw new DataError(path, 'expected a video, found one that is too damaged to tell its size');
  return { stream, decoder };
}

function describe(av: Av, format: FormatContext, stream: Stream, codec: string): { facts: VideoFacts; orientation: Orientation } {
  const { codecpar } = stream;
  const side = codecpar.getCodedSideData(av.AV_PKT_DATA_DISPLAYMATRIX);
  const matrix = side && side.length >= 36 ? Array.from({ length: 9 }, (_, i) => side.readInt32LE(4 * i)) : undefined;
  const orientation = (matrix && orientationOf(matrix)) ?? upright;
  const stored: PictureSize = [codecpar.height, codecpar.width];
  const [height, width] = swapsSides(orientation) ? [stored[1], stored[0]] : stored;
  const rate = positiveRatio(stream.avgFrameRate) ?? positiveRatio(stream.rFrameRate);
  const { num, den } = stream.sampleAspectRatio;
  const ticks = stream.duration > 0n ? Number(stream.duration) * (positiveRatio(stream.timeBase) ?? 0) : 0;
  const seconds = ticks || (format.duration > 0n ? Number(format.duration) / 1e6 : 0);
  const facts: VideoFacts = {
    codec,
    width,
    height,
    rotation: rotationOf(orientation),
    mirrored: isMirrored(orientation),
    sampleAspectRatio: num > 0 && den > 0 ? [num, den] : [1, 1],
    framesPerSecond: rate,
    statedFrames: stream.nbFrames > 0n ? Number(stream.nbFrames) : undefined,
    statedDuration: seconds > 0 ? seconds : undefined,
  };
  return { facts, orientation };
}

function positiveRatio({ num, den }: { readonly num: number; readonly den: number }): number | undefined {
  return num > 0 && den > 0 ? num / den : undefined;
}

interface Damage {
  frames: number;
  packets: number;
  first: string | undefined;
}

function damageLine(damaged: number, frames: number, first: string | undefined): string {
  const which =
    damaged > 0
      ? `${damaged} of its ${frames} frames ${damaged === 1 ? 'is' : 'are'} damaged`
      : `its ${frames} frames may not be all`;
  return `decoding met errors, ${which}${first === undefined ? '' : ` (first: ${first})`}`;
}

async function* decode(
  opened: Opened,
  { size, indices, batch = 16, threads = 0 }: DecodeOptions,
): AsyncGenerator<FrameBatch, { summary: DecodeSummary; damage: Damage }> {
  const { av, path, facts, orientation } = opened;
  checkIndices(indices);
  const [height, width] = size ? size([facts.height, facts.width]) : [facts.height, facts.width];
  const bytes = height * width * 3;
  const scaler = frameScaler(av, { height, width, orientation, threads });
  const data = indices && indices.length === 0 ? new Uint8Array(0) : new Uint8Array(batch * bytes);
  const damage: Damage = { frames: 0, packets: 0, first: undefined };
  const clock = frameClock(positiveRatio(opened.stream.timeBase), facts.framesPerSecond);
  let [decoded, taken, held] = [0, 0, 0];
  try {
    for (const frame of decodedFrames(opened, threads, damage)) {
      clock.see(frame);
      if (frame.decodeErrorFlags !== 0) damage.frames++;
      const isWanted = indices === undefined || (taken < indices.length && indices[taken] === decoded);
      decoded++;
      if (!isWanted) continue;
      scaler.write(frame, data.subarray(held * bytes, (held + 1) * bytes));
      taken++;
      held++;
      if (held < batch) continue;
      yield { first: taken - held, count: held, height, width, data };
      held = 0;
      // Between batches others have a turn (signals, progress).
      await new Promise(resolve => setImmediate(resolve));
    }
    if (held > 0) yield { first: taken - held, count: held, height, width, data: data.subarray(0, held * bytes) };
  } finally {
    scaler.dispose();
  }
  if (decoded === 0) throw new DataError(path, `expected a video, found no frame that can be decoded`);
  if (indices && taken < indices.length)
    throw new DataError(path, `expected at least ${indices[taken] + 1} frames, found ${decoded}`);
  return { summary: { frames: decoded, duration: clock.duration() }, damage };
}

function checkIndices(indices: ArrayLike<number> | undefined): void {
  for (let i = 0; indices && i < indices.length; i++) {
    const isAscending = Number.isInteger(indices[i]) && indices[i] >= 0 && (i === 0 || indices[i] > indices[i - 1]);
    if (!isAscending) throw new RangeError(`indices: expected ascending frame numbers from 0, found ${indices[i]} at ${i}`);
  }
}

/** Every frame of the stream, in the order of showing. The frame is the same object each time. */
function* decodedFrames({ av, format, stream, decoder, path }: Opened, threads: number, damage: Damage): Generator<Frame> {
  const context: CodecContext = new av.CodecContext();
  const packet: Packet = new av.Packet();
  const frame: Frame = new av.Frame();
  const failed = (code: number): void => {
    damage.packets++;
    damage.first ??= reason(av, code);
  };
  function* ready(): Generator<Frame> {
    for (;;) {
      const code = context.receiveFrameSync(frame);
      if (code === av.AVERROR_EAGAIN || code === av.AVERROR_EOF) return;
      if (code < 0) {
        failed(code);
        return;
      }
      yield frame;
      frame.unref();
    }
  }
  try {
    context.allocContext3(decoder);
    context.parametersToContext(stream.codecpar);
    context.pktTimebase = stream.timeBase;
    context.threadCount = threads;
    const opened = context.open2Sync(decoder);
    if (opened < 0) throw new DataError(path, `FFmpeg's decoder ${decoder.name} cannot be opened (${reason(av, opened)})`);
    packet.alloc();
    frame.alloc();
    for (;;) {
      const code = format.readFrameSync(packet);
      if (code < 0) {
        if (code !== av.AVERROR_EOF) failed(code);
        break;
      }
      if (packet.streamIndex === stream.index) {
        const sent = context.sendPacketSync(packet);
        if (sent < 0) failed(sent);
        yield* ready();
      }
      packet.unref();
    }
    context.sendPacketSync(null);
    yield* ready();
  } finally {
    frame.free();
    packet.free();
    context.freeContext();
  }
}

/** Keeps the times of the first and the last frame, in units of the stream. */
function frameClock(timeBase: number | undefined, rate: number | undefined) {
  let first: bigint | undefined;
  let end: bigint | undefined;
  // INT64_MIN stands for no timestamp.
  const none = -(2n ** 63n);
  return {
    see(frame: Frame): void {
      const at = frame.bestEffortTimestamp;
      if (at === none || timeBase === undefined) return;
      const lasts = frame.duration > 0n ? frame.duration : BigInt(Math.round(1 / ((rate ?? Infinity) * timeBase)));
      first = first === undefined || at < first ? at : first;
      end = end === undefined || at + lasts > end ? at + lasts : end;
    },
    duration: () =>
      first === undefined || end === undefined || timeBase === undefined ? undefined : Number(end - first) * timeBase,
  };
}
