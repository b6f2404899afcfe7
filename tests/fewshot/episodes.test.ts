import { describe, expect, it, test } from 'vitest';
import { key } from '../../src/engine/random.ts';
import {
  episodeListFormat,
  episodeListText,
  parseEpisodeList,
  recordEpisodes,
  replayEpisodes,
} from '../../src/fewshot/episodeList.ts';
import {
  checkDisjoint,
  checkEpisodes,
  type EpisodeClass,
  type EpisodeOptions,
  episodeAt,
  sampleEpisode,
  sortedEpisode,
} from '../../src/fewshot/episodes.ts';
import { publishedEpisode } from '../../src/fewshot/publishedEpisodes.ts';
import { pythonRandom } from '../../src/fewshot/pythonRandom.ts';

/** Classes a, b, … with items a0, a1, … */
const classesOf = (...sizes: readonly number[]): EpisodeClass<string>[] =>
  sizes.map((size, i) => {
    const name = String.fromCharCode(97 + i);
    return { name, items: Array.from({ length: size }, (_, k) => `${name}${k}`) };
  });
const itemsOf = (classes: readonly EpisodeClass<string>[]) => classes.map(({ items }) => items);
const options: EpisodeOptions = { way: 3, shot: 2, queries: 4 };

describe('sampleEpisode', () => {
  const classes = classesOf(8, 9, 10, 11, 12);

  it('has different classes and different items, class by class', () => {
    for (let seed = 0; seed < 50; seed++) {
      const {
        classes: own,
        support,
        supportLabels,
        query,
        queryLabels,
        unlabelled,
      } = sampleEpisode(itemsOf(classes), options, key(seed));
      expect(new Set(own).size).toBe(3);
      expect(supportLabels).toEqual([0, 0, 1, 1, 2, 2]);
      expect(queryLabels).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
      const names = own.map(label => classes[label].name);
      expect(support.map(item => item[0])).toEqual(supportLabels.map(label => names[label]));
      expect(query.map(item => item[0])).toEqual(queryLabels.map(label => names[label]));
      expect(new Set([...support, ...query]).size).toBe(18);
      expect(unlabelled).toEqual([]);
    }
  });

  it('follows from the key alone, and every class and item comes as often', () => {
    expect(sampleEpisode(itemsOf(classes), options, key(3))).toEqual(sampleEpisode(itemsOf(classes), options, key(3)));
    const counts = new Map<string, number>();
    for (let i = 0; i < 4000; i++) {
      const { support } = episodeAt(itemsOf(classes), { way: 2, shot: 1, queries: 1 }, key(1), i);
      for (const item of support) counts.set(item, (counts.get(item) ?? 0) + 1);
    }
    // 8000 supports over 5 classes: 1600 each, 200 for an item of a, 133 for one of e; five deviations.
    for (const [i, { items }] of classes.entries()) {
      const own = items.map(item => counts.get(item) ?? 0);
      expect(Math.abs(own.reduce((a, b) => a + b, 0) - 1600), `class ${i}`).toBeLessThan(5 * Math.sqrt(1600 * 0.8));
      const each = 1600 / items.length;
      expect(Math.max(...own.map(count => Math.abs(count - each))), `items of ${i}`).toBeLessThan(5 * Math.sqrt(each));
    }
  });

  it('hides the labels of further clips, those of distractors last', () => {
    const semi = { way: 2, shot: 1, queries: 2, unlabelled: { perClass: 3, distractors: 1 } };
    const { classes: own, support, query, unlabelled } = sampleEpisode(itemsOf(classes), semi, key(4));
    expect([own.length, support.length, query.length, unlabelled.length]).toEqual([2, 2, 4, 9]);
    expect(new Set([...support, ...query, ...unlabelled]).size).toBe(15);
    const letters = unlabelled.map(item => item[0]);
    const names = own.map(label => classes[label].name);
    expect(letters.slice(0, 6)).toEqual([names[0], names[0], names[0], names[1], names[1], names[1]]);
    expect(names).not.toContain(letters[6]);
    expect(new Set(letters.slice(6)).size).toBe(1);
  });
});

describe('what cannot be drawn is said in one line', () => {
  it.each([
    [classesOf(9, 9), options, 'clips: 3-way episodes need 3 classes, found 2'],
    [
      classesOf(9, 9, 9),
      { ...options, unlabelled: { perClass: 1, distractors: 2 } },
      'clips: 3-way episodes need 5 (2 of them distractors) classes, found 3',
    ],
    [
      classesOf(9, 5, 9, 3),
      options,
      'clips: class "d": an episode needs 6 clips (2 shot + 4 queries), found 3 (and 1 more class too few)',
    ],
    [
      classesOf(2, 1, 2),
      { way: 2, shot: 1, queries: 1 },
      'clips: class "b": an episode needs 2 clips (1 shot + 1 query), found 1',
    ],
  ])('%#', (classes, wanted, message) => {
    expect(() => checkEpisodes(classes, wanted, 'clips')).toThrow(message);
  });

  it('accepts what just fits', () => {
    expect(() => checkEpisodes(classesOf(6, 6, 6), options, 'clips')).not.toThrow();
  });

  it('and so is a class of two parts', () => {
    const parts = [
      { part: 'train', classes: ['run', 'jump', 'sit'] },
      { part: 'val', classes: ['eat'] },
      { part: 'test', classes: ['sit', 'fall', 'run'] },
    ];
    expect(() => checkDisjoint(parts, 'videos')).toThrow(
      'videos: class "sit" is in both train and test, and so are 1 more; few-shot classes belong to one part',
    );
    expect(() => checkDisjoint(parts.slice(0, 2), 'videos')).not.toThrow();
  });
});

describe('recorded episodes', () => {
  const classes = classesOf(8, 9, 10, 11);
  const drawn = Array.from({ length: 5 }, (_, i) =>
    episodeAt(itemsOf(classes), { ...options, unlabelled: i % 2 ? { perClass: 1 } : undefined }, key(7), i),
  );
  const list = recordEpisodes(
    drawn,
    classes.map(({ name }) => name),
    item => `${item}.npy`,
    7,
  );
  const again = (text: string) => parseEpisodeList(JSON.parse(text), 'list.json');

  it('come back from their file, whatever the order of classes and items is then', () => {
    const text = episodeListText(list);
    expect(text.split('\n')).toHaveLength(8);
    expect(again(text)).toEqual(list);
    const shuffled = [...classes].reverse().map(({ name, items }) => ({ name, items: [...items].reverse() }));
    const replayed = replayEpisodes(again(text), shuffled, item => `${item}.npy`, 'list.json');
    for (const [i, episode] of replayed.entries()) {
      const { classes: own, ...rest } = drawn[i];
      expect(episode).toEqual({ ...rest, classes: own.map(label => 3 - label) });
    }
  });

  it('may have uneven numbers of supports', () => {
    const uneven = {
      classes: [1, 0],
      support: ['b0', 'a0', 'b1'],
      supportLabels: [0, 1, 0],
      query: ['a1'],
      queryLabels: [1],
      unlabelled: [],
    };
    const recorded = recordEpisodes([uneven], ['a', 'b'], item => item, null);
    expect(recorded.episodes[0]).toEqual({ classes: [1, 0], support: [[0, 2], [1]], query: [[], [3]] });
    const [episode] = replayEpisodes(recorded, classesOf(2, 2), item => item, 'x');
    expect(episode).toEqual(sortedEpisode(uneven));
    expect(episode.support).toEqual(['b0', 'b1', 'a0']);
  });

  const base = { format: episodeListFormat, seed: 0, classes: ['a', 'b'], items: ['a0', 'a1', 'b0', 'b1'] };
  const one = { classes: [0, 1], support: [[0], [2]], query: [[1], [3]] };
  it.each([
    [{ ...base, format: 'x', episodes: [one] }, /^l\.json: not a list of episodes \(format: /],
    [{ ...base, episodes: [] }, /^l\.json: not a list of episodes \(episodes: /],
    [{ ...base, episodes: [{ ...one, query: [[1]] }] }, 'l.json: episodes[0]: expected query of 2 classes, found 1'],
    [{ ...base, episodes: [{ ...one, support: [[0], []] }] }, 'l.json: episodes[0]: class b has no support'],
    [{ ...base, episodes: [{ ...one, classes: [0, 2] }] }, 'l.json: episodes[0]: class 2 of 2'],
    [{ ...base, episodes: [{ ...one, classes: [1, 1] }] }, 'l.json: episodes[0]: a class is there twice'],
    [{ ...base, episodes: [one, { ...one, query: [[1], [4]] }] }, 'l.json: episodes[1]: item 4 of 4'],
    [{ ...base, episodes: [{ ...one, query: [[1], [2]] }] }, 'l.json: episodes[0]: b0 is there twice'],
  ])('%#: say what is wrong', (json, message) => {
    expect(() => parseEpisodeList(json, 'l.json')).toThrow(message);
  });

  it('say what the data set lacks', () => {
    const own = parseEpisodeList({ ...base, episodes: [one] }, 'l.json');
    const replay = (names: readonly EpisodeClass<string>[]) => () => replayEpisodes(own, names, item => item, 'l.json');
    expect(replay(classesOf(2))).toThrow('l.json: b0 is not in the data set');
    expect(replay([classesOf(2)[0], { name: 'c', items: ['b0', 'b1'] }])).toThrow('l.json: class "b" is not in the data set');
    expect(
      replay([
        { name: 'a', items: ['a0', 'b0'] },
        { name: 'b', items: ['a1', 'b1'] },
      ]),
    ).toThrow('l.json: b0: expected class b, found a in the data set');
  });
});

test('published episodes keep the order in which they were shuffled', () => {
  const classes = classesOf(5, 5, 5, 5);
  const random = pythonRandom(11);
  const first = publishedEpisode(itemsOf(classes), { way: 3, shot: 1, queries: 2 }, random);
  expect(first.support.map(item => item[0])).toEqual(first.supportLabels.map(label => classes[first.classes[label]].name));
  expect(first.query).toHaveLength(6);
  expect([...first.queryLabels].sort()).toEqual([0, 0, 1, 1, 2, 2]);
  expect(publishedEpisode(itemsOf(classes), { way: 3, shot: 1, queries: 2 }, random)).not.toEqual(first);
});
