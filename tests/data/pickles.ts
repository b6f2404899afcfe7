/** Pickles and checkpoints put together by hand, for what no honest writer makes. */
import { zipSync } from 'fflate';

/** Opcodes and arguments as bytes: texts by their characters (up to 255), numbers as one byte. */
export function pickle(...parts: readonly (string | number | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap(part => {
      if (typeof part === 'number') return [part];
      return typeof part === 'string' ? Array.from(part, character => character.charCodeAt(0)) : [...part];
    }),
  );
}

/** A text of at most 255 bytes (SHORT_BINUNICODE). */
export function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  return pickle(0x8c, bytes.length, bytes);
}

/** An integer (LONG). */
export function integer(value: number | bigint): string {
  return `L${value}L\n`;
}

/** A little-endian number of `width` bytes. */
export function little(value: number | bigint, width: 4 | 8): Uint8Array {
  const out = new DataView(new ArrayBuffer(8));
  out.setBigUint64(0, BigInt(value), true);
  return new Uint8Array(out.buffer, 0, width);
}

/** How {@link checkpoint} lays out its tensor; sizes and strides in elements. */
export interface Layout {
  readonly type?: string;
  readonly key?: string;
  readonly location?: string;
  readonly count?: number;
  readonly offset?: number;
  readonly size?: readonly (number | bigint)[];
  readonly stride?: readonly (number | bigint)[];
}

/** The opcodes of a tensor over the storage `0` of six numbers, by default [2, 3]. */
export function tensorOpcodes(layout: Layout = {}): Uint8Array {
  const { type = 'FloatStorage', key = '0', location = 'cpu', count = 6, offset = 0, size = [2, 3], stride = [3, 1] } = layout;
  const tuple = (values: readonly (number | bigint)[]) => `(${values.map(integer).join('')}t`;
  const id = pickle('(', text('storage'), `ctorch\n${type}\n`, text(key), text(location), integer(count), 'tQ');
  const hooks = pickle(0x89, 'ccollections\nOrderedDict\n)R');
  return pickle('ctorch._utils\n_rebuild_tensor_v2\n(', id, integer(offset), tuple(size), tuple(stride), hooks, 'tR');
}

/** A zip checkpoint of this object and these storages, by default one of the numbers 0 to 5. */
export function checkpoint(object: Uint8Array, storages: Readonly<Record<string, Uint8Array>> = { 0: sixNumbers }): Uint8Array {
  const files = Object.fromEntries(Object.entries(storages).map(([key, data]) => [`model/data/${key}`, data]));
  return zipSync({ 'model/data.pkl': pickle(0x80, 2, object, '.'), ...files }, { level: 0, mtime: new Date(1980, 0, 1, 12) });
}

const sixNumbers = new Uint8Array(Float32Array.of(0, 1, 2, 3, 4, 5).buffer);
