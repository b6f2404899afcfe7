"""Every frame of a video by PyAV as raw RGB on standard output: frames.py FILE THREADS. Frames are turned as the display matrix says.

PyAV's wheels hold FFmpeg libraries of their own, so that pixels can be compared within one major version. With --version, prints that instead.
"""

import sys

import av
import numpy as np


def frames(path, threads):
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        for packet in container.demux(stream):
            try:
                yield from stream.decode(packet)
            except av.error.FFmpegError:
                # What cannot be decoded is passed over, as the ffmpeg program does.
                continue


def main():
    if sys.argv[1] == "--version":
        print(av.ffmpeg_version_info, ".".join(map(str, av.library_versions["libavcodec"])))
        return
    for frame in frames(sys.argv[1], int(sys.argv[2])):
        picture = frame.to_ndarray(format="rgb24", interpolation="BICUBIC")
        turned = np.rot90(picture, frame.rotation // 90)
        sys.stdout.buffer.write(np.ascontiguousarray(turned).tobytes())


av.logging.set_level(None)
main()
