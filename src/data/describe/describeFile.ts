/** What a file holds, whatever its format; its content decides, not only its ending. */

import { sizeOf } from '../../engine/ndarray.ts';
import { DataError } from '../formats/dataError.ts';
import { seemsToBe } from '../formats/fileKind.ts';
import { decodeText, parseJson } from '../formats/json.ts';
import { parseNpy } from '../formats/npy.ts';
import { npyMagic, parseNpyHeader } from '../formats/npyHeader.ts';
import { type OnnxValue, parseOnnxModel } from '../formats/onnxModel.ts';
import { listSafetensors } from '../formats/safetensors.ts';
import { readZip, type ZipEntry } from '../formats/zip.ts';
import { parseLabelsCsv } from '../labelsCsv.ts';
import { describeCheckpoint } from './describeCheckpoint.ts';
import { annotationFacts, describeJson } from './describeJson.ts';
import { type Description, type Entry, oneLine, type TensorEntry } from './description.ts';

type Part = Pick<Description, 'format' | 'facts' | 'entries'>;

/**
 * Describes a file from its bytes: `.npy`, `.npz`, `.safetensors`, PyTorch checkpoints, ONNX models, JSON, label CSV.
 * @param where the file's name, for messages; its ending helps where the content does not decide
 * @throws DataError naming the file if it is none of these, or is damaged
 */
export function describeFile(bytes: Uint8Array, where: string): Description {
  return { ...describeContent(bytes, where), bytes: bytes.length };
}

function describeContent(bytes: Uint8Array, where: string): Part {
  const ending = /\.(\w+)$/.exec(where)?.[1].toLowerCase() ?? '';
  if (bytes.length === 0) throw new DataError(where, 'the file is empty');
  if (startsWith(bytes, npyMagic)) return describeNpy(bytes, where);
  if (startsWith(bytes, [0x50, 0x4b])) return describeZip(bytes, where);
  if (isSafetensors(bytes)) return describeSafetensors(bytes, where);
  // Pickles of protocol 2 and later begin so; older ones are text.
  if (bytes[0] === 0x80 || torchEndings.test(where)) return describeCheckpoint(bytes, where);
  if (ending === 'onnx') return describeOnnx(bytes, where);
  if (ending === 'csv')
    return { format: 'labels (CSV)', facts: annotationFacts(parseLabelsCsv(decodeText(bytes, where), where)), entries: [] };
  const first = firstCharacter(bytes);
  if (ending === 'json' || first === '{' || first === '[') return describeJson(parseJson(bytes, where), where);
  // Every ONNX model begins with its format version; most things that begin so are none.
  if (bytes[0] === 0x08) {
    try {
      return describeOnnx(bytes, where);
    } catch {
      // Nothing else begins so either: said below.
    }
  }
  throw new DataError(
    where,
    `expected a .npy, .npz, .safetensors, PyTorch, ONNX, JSON, YAML or label CSV file, found ${seemsToBe(bytes)}`,
  );
}

const torchEndings = /\.(pth|pt|pyth|pkl|pickle|ckpt|pth\.tar)$/i;

function startsWith(bytes: Uint8Array, start: readonly number[]): boolean {
  return start.every((byte, i) => bytes[i] === byte);
}

function firstCharacter(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, 64)).trimStart().slice(0, 1);
}

// ------------------------------------------------------------------------------------------------ NumPy

function describeNpy(bytes: Uint8Array, where: string): Part {
  return { format: 'NumPy array', facts: {}, entries: [npyEntry(bytes, '', where)] };
}

const npyKinds: Readonly<Record<string, string>> = { f: 'float', i: 'int', u: 'uint', c: 'complex' };

/** NumPy's type string in words: `<f2` is float16, `|b1` bool. */
export function npyTypeName(descr: string): string {
  const [, kind, width] = /^[<>|=]?([fiuc])(\d+)$/.exec(descr) ?? [];
  if (kind) return `${npyKinds[kind]}${8 * Number(width)}`;
  return /^[<>|=]?b1$/.test(descr) ? 'bool' : descr;
}

function npyEntry(bytes: Uint8Array, name: string, where: string): TensorEntry {
  const { header, dataOffset } = parseNpyHeader(bytes, where);
  const found = bytes.length - dataOffset;
  const width = Number(/\d+$/.exec(header.descr)?.[0] ?? Number.NaN);
  // Numbers of a known width are all there; texts and objects have no size that follows from the header.
  if (/[fiubc]\d+$/.test(header.descr) && sizeOf(header.shape) * width !== found) parseNpy(bytes, where);
  return {
    kind: 'tensor',
    name,
    dtype: npyTypeName(header.descr),
    shape: header.shape,
    bytes: found,
    read: () => parseNpy(bytes, where),
  };
}

function describeZip(bytes: Uint8Array, where: string): Part {
  const files = readZip(bytes, where);
  if (files.length > 0 && files.every(({ name }) => name.endsWith('.npy'))) {
    const entries = files.map(file => npyEntry(file.read(), file.name.slice(0, -'.npy'.length), `${where}: ${file.name}`));
    return { format: 'NumPy arrays (.npz)', facts: {}, entries };
  }
  if (files.some(({ name }) => /(^|\/)(data|constants)\.pkl$/.test(name)) || torchEndings.test(where)) {
    return describeCheckpoint(bytes, where);
  }
  throw new DataError(where, `a zip archive of ${namesOf(files)}; expected .npy arrays or a PyTorch checkpoint inside`);
}

function namesOf(files: readonly ZipEntry[]): string {
  const names = files.slice(0, 3).map(({ name }) => JSON.stringify(name));
  return files.length === 0 ? 'no files' : `${names.join(', ')}${files.length > 3 ? `, … (${files.length} files)` : ''}`;
}

// ------------------------------------------------------------------------------------------ safetensors

/** A length of a header that fits into the file, and JSON behind it. */
function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10 || bytes[8] !== 0x7b) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getBigUint64(0, true) <= BigInt(bytes.length - 8);
}

const safetensorsNames: Readonly<Record<string, string>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  U8: 'uint8',
  BOOL: 'bool',
};

function describeSafetensors(bytes: Uint8Array, where: string): Part {
  const { tensors, metadata } = listSafetensors(bytes, where);
  const { inkling, ...others } = metadata;
  const facts: Record<string, string> = inkling === undefined ? {} : modelFacts(inkling);
  for (const [key, value] of Object.entries(others)) facts[`metadata ${key}`] = oneLine(value, 200);
  return {
    format: 'safetensors',
    facts,
    entries: tensors.map(({ type, ...tensor }): Entry => ({ kind: 'tensor', ...tensor, dtype: safetensorsNames[type] ?? type })),
  };
}

/** A model of ours says what it is in its metadata; what it says in full is in `config`. */
function modelFacts(text: string): Record<string, string> {
  try {
    const { classes, config } = JSON.parse(text) as { classes: string[]; config: { method: string } };
    return { model: `${config.method}, ${classes.length} classes`, classes: oneLine(classes.join(', '), 200) };
  } catch {
    return { 'metadata inkling': oneLine(text, 200) };
  }
}

// ------------------------------------------------------------------------------------------------- ONNX

function describeOnnx(bytes: Uint8Array, where: string): Part {
  const model = parseOnnxModel(bytes, where);
  const values = (what: string, list: readonly OnnxValue[]): Entry => ({
    kind: 'group',
    name: what,
    what,
    entries: list.map(({ name, dtype, shape }) => ({ kind: 'value', name, text: `${dtype} ${showExtents(shape)}` })),
  });
  const operators = [...model.operators].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const opsets = [...model.opsets].map(([domain, version]) => `${domain || 'ai.onnx'} ${version}`);
  const facts: Record<string, Description['facts'][string]> = {
    producer: model.producer || '(not stated)',
    'format version': model.irVersion,
    'operator sets': opsets,
    nodes: operators.reduce((sum, [, count]) => sum + count, 0),
    operators: operators.map(([name, count]) => `${name} ${count}`),
  };
  for (const [key, value] of model.metadata) facts[`metadata ${key}`] = oneLine(value, 200);
  const initializers = model.initializers.map(
    ({ name, dtype, shape, bytes: size, external }): Entry => ({
      kind: 'tensor',
      name,
      dtype: external ? `${dtype} (in another file)` : dtype,
      shape,
      bytes: size,
    }),
  );
  return {
    format: 'ONNX model',
    facts,
    entries: [
      values('inputs', model.inputs),
      values('outputs', model.outputs),
      { kind: 'group', name: 'initialisers', what: 'initialisers', entries: initializers },
    ],
  };
}

function showExtents(shape: OnnxValue['shape']): string {
  return shape === null ? '(shape not stated)' : `[${shape.map(extent => extent ?? '?').join(', ')}]`;
}
