import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/data/formats/dataError.ts';
import { parseOnnxModel } from '../../src/data/formats/onnxModel.ts';
import { fromNumbers } from '../../src/engine/index.ts';
import { encodeModel, GraphBuilder } from '../../src/engine/onnx.ts';

type Write = (w: BinaryWriter) => void;

/** A message, or a text, as field `id`. */
function field(id: number, content: Write | string): Write {
  return w => {
    if (typeof content === 'string') w.tag(id, 2).string(content);
    else {
      w.tag(id, 2).fork();
      content(w);
      w.join();
    }
  };
}
const number =
  (id: number, value: number): Write =>
  w =>
    w.tag(id, 0).int64(value);
const all =
  (...parts: Write[]): Write =>
  w => {
    for (const part of parts) part(w);
  };
function bytesOf(...parts: Write[]): Uint8Array {
  const w = new BinaryWriter();
  all(...parts)(w);
  return w.finish();
}
const node = (operator: string, ...more: Write[]): Write => field(1, all(field(4, operator), ...more));
const model = (...graph: Write[]): Uint8Array => bytesOf(number(1, 8), field(7, all(...graph)));

/** A graph within graphs within a node. */
function nestedGraphs(depth: number): Write {
  return depth === 0 ? node('Relu') : node('If', field(5, field(6, nestedGraphs(depth - 1))));
}

describe('parseOnnxModel', () => {
  it('reads what the engine writes', () => {
    const g = new GraphBuilder();
    const weight = g.constant(fromNumbers([1, 2, 3, 4, 5, 6], [2, 3]));
    const y = g.node('Relu', [g.node('MatMul', ['x', weight])]);
    const inputs = [{ name: 'x', dtype: 'float32' as const, shape: ['batch', 2] }];
    const outputs = [{ name: y, dtype: 'float64' as const, shape: [7, 3] }];
    expect(parseOnnxModel(encodeModel(g, inputs, outputs, { task: 'a', note: 'ü' }), 'm.onnx')).toEqual({
      irVersion: 10,
      producer: 'inkling',
      graph: 'inkling',
      opsets: new Map([['', 21]]),
      metadata: new Map([
        ['task', 'a'],
        ['note', 'ü'],
      ]),
      inputs,
      outputs,
      initializers: [{ name: weight, dtype: 'float32', shape: [2, 3], bytes: 24, external: false }],
      operators: new Map([
        ['MatMul', 1],
        ['Relu', 1],
      ]),
    });
  });

  it('reads nested graphs, packed extents, other domains, unknown axes, types and fields', () => {
    const tensor = all(w => w.tag(1, 2).fork().int64(3).int64(5).join(), number(2, 22), field(8, 'four-bit'));
    const external = all(number(1, 4), number(2, 10), field(8, 'far'), number(14, 1));
    const axes = all(
      field(1, field(2, 'T')),
      field(1, all()),
      field(1, w => w.tag(1, 0).int64(-1)),
      field(1, number(1, 9)),
    );
    const bytes = bytesOf(
      number(1, 9),
      field(2, 'peer'),
      field(3, '1.2'),
      field(8, number(2, 18)),
      field(8, all(field(1, 'com.microsoft'), number(2, 1))),
      w => w.tag(99, 5).fixed32(7),
      field(
        7,
        all(
          node('If', field(5, all(field(6, all(node('Neg'), node('Abs'))))), field(5, field(11, node('Neg')))),
          node('Fused', field(7, 'com.microsoft')),
          field(2, 'main'),
          field(5, tensor),
          field(5, external),
          field(11, all(field(1, 'x'), field(2, field(1, all(number(1, 16), field(2, axes)))))),
          field(11, all(field(1, 'far'))),
          field(11, all(field(1, 's'), field(2, field(4, all())))),
          field(12, all(field(1, 'y'), field(2, field(1, number(1, 99))))),
        ),
      ),
    );
    const parsed = parseOnnxModel(bytes, 'm.onnx');
    expect(parsed.producer).toBe('peer 1.2');
    expect([...parsed.opsets]).toEqual([
      ['', 18],
      ['com.microsoft', 1],
    ]);
    expect(Object.fromEntries(parsed.operators)).toEqual({ If: 1, Neg: 2, Abs: 1, 'com.microsoft.Fused': 1 });
    // An initialiser that is listed as an input need not be fed.
    expect(parsed.inputs).toEqual([
      { name: 'x', dtype: 'bfloat16', shape: ['T', null, null, 9] },
      { name: 's', dtype: 'sequence', shape: null },
    ]);
    expect(parsed.outputs).toEqual([{ name: 'y', dtype: 'type 99', shape: null }]);
    expect(parsed.initializers).toEqual([
      { name: 'four-bit', dtype: 'int4', shape: [3, 5], bytes: 8, external: false },
      { name: 'far', dtype: 'float16', shape: [4], bytes: 8, external: true },
    ]);
  });

  it.each([
    ['nothing', new Uint8Array(), 'it has no format version'],
    ['no graph', bytesOf(number(1, 8)), 'it has no graph'],
    ['two graphs', bytesOf(number(1, 8), field(7, all()), field(7, all())), 'it has two graphs'],
    ['a graph that is a number', bytesOf(number(1, 8), number(7, 1)), 'field 7 has wire type 0'],
    ['a negative version', bytesOf(w => w.tag(1, 0).int64(-4)), 'expected a size or version, found -4'],
    ['a node without operator', model(field(1, all())), 'a node without operator'],
    [
      'values that do not fit',
      model(field(5, all(number(1, 3), number(2, 1), field(8, 'w'), field(9, 'abcd')))),
      'initialiser w: [3] of float32 needs 12 bytes, found 4',
    ],
    [
      'a huge tensor',
      model(field(5, all(number(1, 2 ** 50), number(1, 2 ** 50), number(2, 1), field(8, 'w')))),
      'initialiser w: impossible shape [1125899906842624,1125899906842624]',
    ],
    ['too many axes', model(field(5, all(...Array.from({ length: 65 }, () => number(1, 1))))), 'more than 64 axes'],
    ['graphs nested too deep', model(nestedGraphs(65)), 'graphs nested more than 64 deep'],
    ['text', new TextEncoder().encode('{"a": 1}'), 'found something else or a damaged one'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseOnnxModel(bytes, 'm.onnx')).toThrow(DataError);
    expect(() => parseOnnxModel(bytes, 'm.onnx')).toThrow(message);
    expect(() => parseOnnxModel(bytes, 'm.onnx')).toThrow(/^m\.onnx: expected an ONNX model, found /);
  });

  it('accepts graphs nested as deep as it says', () => {
    expect(parseOnnxModel(model(nestedGraphs(64)), 'm').operators.get('If')).toBe(64);
  });

  it('refuses a file that is cut off anywhere within the graph', () => {
    const whole = model(node('Relu', field(1, 'x')), field(2, 'main'), field(11, field(1, 'x')));
    for (let length = 0; length < whole.length; length++)
      expect(() => parseOnnxModel(whole.subarray(0, length), 'm.onnx')).toThrow(DataError);
    expect(parseOnnxModel(whole, 'm.onnx').graph).toBe('main');
  });

  it('either reads a damaged file or says in one line that it is damaged', () => {
    const whole = model(
      nestedGraphs(3),
      field(5, all(number(1, 3), number(2, 1), field(8, 'w'))),
      field(11, all(field(1, 'x'), field(2, field(1, all(number(1, 1), field(2, field(1, number(1, 9)))))))),
    );
    let refused = 0;
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff, whole[at] ^ 1, whole[at] ^ 8]) {
        const damaged = whole.slice();
        damaged[at] = value;
        try {
          expect(parseOnnxModel(damaged, 'm.onnx').irVersion).toBeTypeOf('number');
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(DataError);
          expect((thrown as DataError).message).not.toContain('\n');
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(whole.length);
  });
});
