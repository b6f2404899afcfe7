/** Scaling decoded frames to RGB by libswscale (Node only). */
import type { Frame, SoftwareScaleContext } from 'node-av/lib';
import type { Av } from './av.ts';
import { type Orientation, orient, swapsSides } from './orient.ts';

/** Turns decoded frames into RGB of one size. */
export interface FrameScaler {
  /** Writes a frame as `[height, width, 3]`. */
  write(frame: Frame, to: Uint8Array): void;
  dispose(): void;
}

/** What a scaler makes. */
export interface ScalerOptions {
  readonly height: number;
  readonly width: number;
  readonly orientation: Orientation;
  /** Threads that share a frame; 0: one for each core. */
  readonly threads: number;
}

/**
 * A scaler to pictures of `height` x `width` as shown, that is after `orientation`. Colours are converted as the frame's own colour space and
 * range say. Frames that change size or format on the way are scaled to the same size.
 */
export function frameScaler(av: Av, { height, width, orientation, threads }: ScalerOptions): FrameScaler {
  const [rows, columns] = swapsSides(orientation) ? [width, height] : [height, width];
  const context: SoftwareScaleContext = new av.SoftwareScaleContext();
  context.allocContext();
  context.setOption('sws_flags', 'bicubic');
  context.setOption('threads', String(threads));
  const rgb: Frame = new av.Frame();
  rgb.alloc();
  rgb.width = columns;
  rgb.height = rows;
  rgb.format = av.AV_PIX_FMT_RGB24;
  rgb.colorSpace = av.AVCOL_SPC_RGB;
  rgb.colorRange = av.AVCOL_RANGE_JPEG;
  // Rows padded as libswscale wants them: without that it writes wrong pixels, and says nothing.
  rgb.getBuffer(0);
  const [pixels] = rgb.data!;
  const stride = rgb.linesize[0];
  return {
    write(frame, to) {
      const code = context.scaleFrameSync(rgb, frame);
      if (code < 0) throw new Error(`libswscale: ${av.FFmpegError.strerror(code)}`);
      orient(pixels, stride, [rows, columns], orientation, to);
    },
    dispose() {
      context.freeContext();
      rgb.free();
    },
  };
}
