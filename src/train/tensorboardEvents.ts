/** Messages of TensorBoard's event files: TensorFlow's `event.proto` and `summary.proto`, as far as they are used here. */
import { BinaryWriter } from '@bufbuild/protobuf/wire';

/** What an event holds. */
export type EventContent =
  /** The first event of every file. */
  | { readonly fileVersion: string }
  /** Everything of this step or later, in files before this one, was given up: the run goes on from before it. */
  | { readonly sessionStart: true }
  /** Numbers by tag (kept as float32). */
  | { readonly scalars: Readonly<Record<string, number>> }
  /** Markdown by tag. */
  | { readonly texts: Readonly<Record<string, string>> };

export interface TensorBoardEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  readonly content: EventContent;
}

/** The version that readers look for: with it they take a session's start as the end of what was given up. */
export const eventFileVersion = 'brain.Event:2';

/** Writes a `tensorflow.Event`. */
export function encodeEvent({ wallTime, step, content }: TensorBoardEvent): Uint8Array {
  const w = new BinaryWriter();
  w.tag(1, 1).double(wallTime).tag(2, 0).int64(step);
  if ('fileVersion' in content) w.tag(3, 2).string(content.fileVersion);
  else if ('sessionStart' in content) w.tag(7, 2).fork().tag(1, 0).int32(1).join();
  else {
    w.tag(5, 2).fork();
    if ('scalars' in content) for (const [tag, value] of Object.entries(content.scalars)) writeScalar(w, tag, value);
    else for (const [tag, text] of Object.entries(content.texts)) writeText(w, tag, text);
    w.join();
  }
  return w.finish();
}

/** `Summary.Value {tag, simple_value}`. */
function writeScalar(w: BinaryWriter, tag: string, value: number): void {
  w.tag(1, 2).fork().tag(1, 2).string(tag).tag(2, 5).float(value).join();
}

/** `Summary.Value {tag, tensor, metadata}`: a string without axes, for the plugin `text`. */
function writeText(w: BinaryWriter, tag: string, text: string): void {
  w.tag(1, 2).fork().tag(1, 2).string(tag);
  // TensorProto {dtype: DT_STRING, tensor_shape: {}, string_val: [text]}
  w.tag(8, 2).fork().tag(1, 0).int32(7).tag(2, 2).fork().join().tag(8, 2).string(text).join();
  // SummaryMetadata {plugin_data: {plugin_name}, data_class: DATA_CLASS_TENSOR}
  w.tag(9, 2).fork().tag(1, 2).fork().tag(1, 2).string('text').join().tag(4, 0).int32(2).join();
  w.join();
}
