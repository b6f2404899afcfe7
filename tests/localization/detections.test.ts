import { describe, expect, it } from 'vitest';
import { detectionsJson, parseDetections } from '../../src/localization/detections.ts';

const one = { label: 'HighJump', score: 0.5, segment: [1, 2.5] };

describe('detections', () => {
  it('reads what it writes', () => {
    const detections = new Map([
      ['v1', [{ label: 'a', score: 0.5, segment: [0, 1] as const }]],
      ['__proto__', []],
    ]);
    const json = detectionsJson(detections, { version: 'x', externalData: { used: false } });
    expect(JSON.parse(JSON.stringify(json))).toMatchObject({ version: 'x', external_data: { used: false } });
    expect(parseDetections(JSON.parse(JSON.stringify(json)), 'd.json')).toEqual(detections);
  });

  it('drops keys it does not know', () => {
    const parsed = parseDetections({ results: { v: [{ ...one, rank: 3 }] } }, 'd.json');
    expect(parsed).toEqual(new Map([['v', [one]]]));
  });

  it.each([
    [[], 'd.json: expected {"results": {video: [detections]}}, found []'],
    [{ result: {} }, 'd.json: expected {"results": {video: [detections]}}, found nothing at key "results"'],
    [{ results: { v: {} } }, 'd.json: results["v"]: expected a list of detections, found {}'],
    [{ results: { v: [one, 3] } }, 'd.json: results["v"][1]: expected {label, score, segment}, found 3'],
    [{ results: { v: [{ ...one, label: 4 }] } }, 'd.json: results["v"][0].label: expected a class name, found 4'],
    [{ results: { v: [{ ...one, score: '1' }] } }, 'd.json: results["v"][0].score: expected a finite number, found "1"'],
    [{ results: { v: [{ ...one, score: Number.NaN }] } }, 'd.json: results["v"][0].score: expected a finite number, found NaN'],
    [
      { results: { v: [{ label: 'a', score: 1 }] } },
      'd.json: results["v"][0].segment: expected [start, end] in seconds, found nothing',
    ],
    [
      { results: { v: [{ ...one, segment: [1, Infinity] }] } },
      'd.json: results["v"][0].segment: expected [start, end] in seconds, found [1, Infinity]',
    ],
    [{ results: { v: [{ ...one, segment: [2, 1] }] } }, 'd.json: results["v"][0].segment: expected start <= end, found [2, 1]'],
  ])('names the place of a mistake: %j', (json, message) => {
    expect(() => parseDetections(json, 'd.json')).toThrow(expect.objectContaining({ name: 'DataError', message }));
  });
});
