/** Reads TensorBoard event files as TensorBoard does, with a checksum of its own. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BinaryReader } from '@bufbuild/protobuf/wire';

export interface ReadEvent {
  readonly wallTime: number;
  readonly step: number;
  readonly fileVersion?: string;
  /** Status of a session log; 1 is START. */
  readonly session?: number;
  readonly scalars: Readonly<Record<string, number>>;
  readonly texts: Readonly<Record<string, string>>;
}

/** CRC-32C bit by bit. */
export function crc32cBitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/**
 * The payloads of TFRecord frames; a frame that is cut off at the end is left out.
 * @throws Error for a wrong checksum
 */
export function unframe(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const check = (from: number, to: number): void => {
    const found = view.getUint32(to, true);
    const crc = crc32cBitwise(bytes.subarray(from, to));
    const masked = (((crc >>> 15) | ((crc << 17) >>> 0)) + 0xa282ead8) % 2 ** 32;
    if (found !== masked) throw new Error(`bytes ${from}-${to}: expected checksum ${masked}, found ${found}`);
  };
  const payloads: Uint8Array[] = [];
  for (let at = 0; at + 12 <= bytes.length; ) {
    check(at, at + 8);
    const length = Number(view.getBigUint64(at, true));
    if (at + 16 + length > bytes.length) break;
    check(at + 12, at + 12 + length);
    payloads.push(bytes.subarray(at + 12, at + 12 + length));
    at += 16 + length;
  }
  return payloads;
}

type Fields = Readonly<Record<number, (reader: BinaryReader, wireType: number) => void>>;

/** Reads a message field by field. @throws Error for a field that is not expected */
function readMessage(bytes: Uint8Array, fields: Fields): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (!fields[field]) throw new Error(`field ${field} was not expected`);
    fields[field](reader, wireType);
  }
}

/** A `tensorflow.Event`. */
export function decodeEvent(bytes: Uint8Array): ReadEvent {
  let [wallTime, step] = [Number.NaN, 0];
  let fileVersion: string | undefined;
  let session: number | undefined;
  const scalars: Record<string, number> = {};
  const texts: Record<string, string> = {};
  const value: (message: Uint8Array) => void = message => {
    let tag = '';
    let plugin = '';
    let simple: number | undefined;
    const strings: string[] = [];
    readMessage(message, {
      1: r => {
        tag = r.string();
      },
      2: r => {
        simple = r.float();
      },
      8: r =>
        readMessage(r.bytes(), {
          1: t => {
            if (t.int32() !== 7) throw new Error(`${tag}: not a tensor of strings`);
          },
          2: t => readMessage(t.bytes(), {}),
          8: t => void strings.push(t.string()),
        }),
      9: r =>
        readMessage(r.bytes(), {
          1: m =>
            readMessage(m.bytes(), {
              1: p => {
                plugin = p.string();
              },
            }),
          4: m => void m.int32(),
        }),
    });
    if (simple !== undefined) scalars[tag] = simple;
    if (plugin === 'text') texts[tag] = strings[0];
  };
  readMessage(bytes, {
    1: r => {
      wallTime = r.double();
    },
    2: r => {
      step = Number(r.int64());
    },
    3: r => {
      fileVersion = r.string();
    },
    5: r => readMessage(r.bytes(), { 1: s => value(s.bytes()) }),
    7: r =>
      readMessage(r.bytes(), {
        1: s => {
          session = s.int32();
        },
      }),
  });
  return { wallTime, step, fileVersion, session, scalars, texts };
}

export interface ScalarPoint {
  readonly step: number;
  readonly value: number;
  readonly wallTime: number;
}

/**
 * All events of a folder, file by file in the order of their names, and its curves: what a session's start says to be given up is left
 * out.
 */
export async function readEvents(
  folder: string,
): Promise<{ files: { name: string; events: ReadEvent[] }[]; scalars: Map<string, ScalarPoint[]> }> {
  const files: { name: string; events: ReadEvent[] }[] = [];
  let scalars = new Map<string, ScalarPoint[]>();
  for (const name of (await readdir(folder)).sort()) {
    const events = unframe(await readFile(join(folder, name))).map(decodeEvent);
    files.push({ name, events });
    for (const event of events) {
      if (event.session === 1) {
        const kept = [...scalars].map(([tag, points]) => [tag, points.filter(({ step }) => step < event.step)] as const);
        scalars = new Map(kept.filter(([, points]) => points.length > 0));
      }
      for (const [tag, value] of Object.entries(event.scalars)) {
        const points = scalars.get(tag) ?? [];
        scalars.set(tag, points);
        points.push({ step: event.step, value, wallTime: event.wallTime });
      }
    }
  }
  return { files, scalars };
}
