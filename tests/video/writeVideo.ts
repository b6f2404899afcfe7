/** Writes real video files for tests: lossless RGB or YUV (FFV1 in Matroska). */
import { AV_CODEC_ID_FFV1, AV_PIX_FMT_BGR0, AV_PIX_FMT_YUV420P } from 'node-av/constants';
import { Codec, CodecContext, FFmpegError, FormatContext, Frame, Packet, Rational } from 'node-av/lib';

/** A video to write. */
export interface VideoToWrite {
  readonly frames: number;
  readonly height: number;
  readonly width: number;
  readonly framesPerSecond?: number;
  /** Red, green and blue of a pixel; with `isYuv` its Y, U and V, where U and V of even rows and columns count (4:2:0). */
  readonly pixel: (frame: number, y: number, x: number) => readonly [number, number, number];
  readonly isYuv?: boolean;
}

const checked = (code: number): number => {
  FFmpegError.throwIfError(code, 'writing a test video');
  return code;
};

/** Writes a `.mkv` whose decoded frames are exactly the given pixels. */
export async function writeVideo(
  path: string,
  { frames, height, width, framesPerSecond = 25, pixel, isYuv = false }: VideoToWrite,
): Promise<void> {
  const format = new FormatContext();
  checked(format.allocOutputContext2(null, 'matroska', path));
  const codec = Codec.findEncoder(AV_CODEC_ID_FFV1)!;
  const encoder = new CodecContext();
  encoder.allocContext3(codec);
  encoder.width = width;
  encoder.height = height;
  const pixelFormat = isYuv ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_BGR0;
  encoder.pixelFormat = pixelFormat;
  encoder.timeBase = new Rational(1, framesPerSecond);
  encoder.framerate = new Rational(framesPerSecond, 1);
  checked(await encoder.open2(codec));
  const stream = format.newStream(codec);
  stream.timeBase = encoder.timeBase;
  stream.avgFrameRate = encoder.framerate;
  checked(stream.codecpar.fromContext(encoder));
  checked(await format.openOutput());
  checked(await format.writeHeader());
  const packet = new Packet();
  packet.alloc();
  const drain = async (): Promise<void> => {
    while ((await encoder.receivePacket(packet)) >= 0) {
      packet.streamIndex = stream.index;
      packet.rescaleTs(encoder.timeBase, stream.timeBase);
      checked(await format.interleavedWriteFrame(packet));
    }
  };
  const area = height * width;
  const pixels = Buffer.alloc(isYuv ? (3 * area) / 2 : 4 * area);
  for (let i = 0; i < frames; i++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const [first, second, third] = pixel(i, y, x);
        const at = y * width + x;
        if (!isYuv) {
          pixels.set([third, second, first, 0], 4 * at);
          continue;
        }
        pixels[at] = first;
        if (y % 2 !== 0 || x % 2 !== 0) continue;
        const chroma = area + ((y / 2) * width) / 2 + x / 2;
        pixels[chroma] = second;
        pixels[chroma + area / 4] = third;
      }
    }
    const frame = Frame.fromVideoBuffer(pixels, { width, height, format: pixelFormat, timeBase: encoder.timeBase });
    frame.pts = BigInt(i);
    frame.duration = 1n;
    checked(await encoder.sendFrame(frame));
    frame.free();
    await drain();
  }
  await encoder.sendFrame(null);
  await drain();
  checked(await format.writeTrailer());
  await format.closeOutput();
  packet.free();
  encoder.freeContext();
  format.freeContext();
}
