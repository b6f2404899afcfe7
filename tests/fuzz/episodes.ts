/** Lists of episodes, and the split lists of few-shot data sets. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { DataError } from '../../src/data/formats/dataError.ts';
import { decodeText, parseJson } from '../../src/data/formats/json.ts';
import {
  type EpisodeList,
  episodeListFormat,
  episodeListText,
  parseEpisodeList,
  recordEpisodes,
  replayEpisodes,
} from '../../src/fewshot/episodeList.ts';
import { fewshotClassNames, fewshotParts, parseFewshotList } from '../../src/video/fewshotLists.ts';
import { sampled } from './elements.ts';
import { ensure, type Format, type Input } from './format.ts';
import { changedJson } from './jsonTree.ts';
import { type Material, mutate, tokensOf } from './mutate.ts';
import type { Random } from './random.ts';

const episode = { classes: [1, 0], support: [[0, 1], [2]], query: [[3], [4]], unlabelled: [5] };
const list = {
  format: episodeListFormat,
  seed: 7,
  classes: ['run', 'jump'],
  items: ['a.npy', 'b.npy', 'c.npy', 'd.npy', 'e.npy', 'f.npy'],
  episodes: [episode, { classes: [0], support: [[2]], query: [[]] }],
};
const lists = {
  paths: 'train0//videos/run/a (1).avi\r\ntrain1//videos/jump/b.avi\ntrain0//videos/run/c.avi\n',
  numbers: 'test1/195025\ntest0/19977\n\n',
  clips: 'val0//clips_256/P01_1.MP4\nval1//clips_256/P01_2.MP4\n',
} as const;

/** What is accepted can be replayed over a data set that has the same names, and recorded again. */
function checkEpisodes(json: unknown): void {
  const read = parseEpisodeList(json, 'episodes.json');
  const text = episodeListText(read);
  // As texts, to which -0 is 0.
  ensure(episodeListText(parseEpisodeList(JSON.parse(text), 'again.json')) === text, 'writing and reading changes it');
  for (const { classes, support, query, unlabelled = [] } of read.episodes) {
    const used = [...support.flat(), ...query.flat(), ...unlabelled];
    ensure(new Set(used).size === used.length && used.every(at => read.items[at] !== undefined), 'an item that is none');
    ensure(classes.length === support.length && classes.every(at => read.classes[at] !== undefined), 'a class that is none');
  }
  if (new Set(read.classes).size === read.classes.length && new Set(read.items).size === read.items.length) replayed(read);
}

/** Each item is of the class that the first episode with it says; the others may disagree, which is told. */
function replayed(read: EpisodeList): void {
  const owners = new Map<number, number>();
  for (const { classes, support, query } of read.episodes)
    for (const groups of [support, query])
      for (const [label, group] of groups.entries()) for (const at of group) if (!owners.has(at)) owners.set(at, classes[label]);
  const items = read.classes.map((_, label) => read.items.filter((__, at) => (owners.get(at) ?? 0) === label));
  const classes = read.classes.map((name, label) => ({ name, items: items[label] }));
  const again = replayEpisodes(read, classes, item => item, 'episodes.json');
  const recorded = recordEpisodes(again, read.classes, item => item, read.seed);
  ensure(recorded.episodes.length === read.episodes.length, 'other episodes');
  const named = ({ episodes, items: names }: EpisodeList) =>
    episodes.map(({ support }) => support.map(group => group.map(at => names[at])));
  ensure(isDeepStrictEqual(named(recorded), named(read)), 'other supports');
}

function checkLists(text: string): void {
  const refusals: DataError[] = [];
  for (const part of fewshotParts) {
    try {
      const videos = parseFewshotList(text, part, 'x.txt');
      const names = fewshotClassNames(videos, part);
      ensure(new Set(names).size === names.length && names.every(name => name !== ''), 'no names');
      ensure(
        videos.every(({ label, path }) => names[label] !== undefined && path !== ''),
        'no class',
      );
      const written = videos.map(({ label, path }) => `${part}${label}//${path}`).join('\n');
      const again = parseFewshotList(written, part, 'again.txt').map(({ label, path }) => [label, path]);
      ensure(
        isDeepStrictEqual(
          again,
          videos.map(({ label, path }) => [label, path]),
        ),
        'writing and reading the list changes it',
      );
    } catch (thrown) {
      if (!(thrown instanceof DataError)) throw thrown;
      refusals.push(thrown);
    }
  }
  if (refusals.length === fewshotParts.length) throw refusals[0];
}

function read(bytes: Uint8Array): unknown {
  const first = bytes.find(byte => byte > 0x20);
  if (first === 0x7b) checkEpisodes(parseJson(bytes, 'episodes.json'));
  else checkLists(decodeText(bytes, 'x.txt'));
  return true;
}

const text = (name: string, content: string, expected: Input['expected'] = 'rejected'): Input => ({
  name,
  bytes: new Uint8Array(Buffer.from(content)),
  expected,
});
const tree = (name: string, json: unknown, expected: Input['expected'] = 'rejected'): Input =>
  text(name, JSON.stringify(json), expected);
const seeds: readonly Input[] = [
  tree('episodes', list, 'accepted'),
  ...Object.entries(lists).map(([name, content]) => text(name, content, 'accepted')),
];

const anyName = fc.stringMatching(/^[a-z]{1,6}$/);

function generate(random: Random): Input {
  const items = sampled(fc.uniqueArray(anyName, { minLength: 2, maxLength: 8 }), random);
  const half = Math.max(1, Math.floor(items.length / 2));
  const places = items.map((_, i) => i);
  const own = { classes: [0], support: [places.slice(0, half)], query: [places.slice(half)] };
  return tree('generated', { ...list, classes: ['a'], items, episodes: [own] }, 'accepted');
}

function restructure(random: Random, material: Material): Uint8Array {
  if (random.once(2)) return new Uint8Array(Buffer.from(changedJson(list, random)));
  return mutate(new Uint8Array(Buffer.from(random.pick(Object.values(lists)))), material, random);
}

const attacks = (): readonly Input[] => [
  tree('an item a billion', { ...list, episodes: [{ ...episode, query: [[1e9], [4]] }] }),
  tree('half an item', { ...list, episodes: [{ ...episode, query: [[0.5], [4]] }] }),
  tree('an item of the prototype', { ...list, items: ['__proto__', 'constructor', 'c', 'd', 'e', 'f'] }, 'accepted'),
  tree('a class twice', { ...list, classes: ['a', 'a'] }, 'accepted'),
  tree('no episode', { ...list, episodes: [] }),
  tree('another format', { ...list, format: 'inkling-episodes-9' }),
  tree('20,000 episodes', { ...list, episodes: Array.from({ length: 20_000 }, () => episode) }, 'accepted'),
  tree(
    'one episode of 20,000 items',
    {
      ...list,
      items: Array.from({ length: 20_000 }, (_, i) => `${i}`),
      classes: ['a'],
      episodes: [{ classes: [0], support: [Array.from({ length: 20_000 }, (_, i) => i)], query: [[]] }],
    },
    'accepted',
  ),
  text('a class a billion', 'train999999999//a\n'),
  text('a class beyond all', `train${'9'.repeat(400)}//a\n`),
  text('a long line', `train0//${'/'.repeat(1_000_000)}\n`, 'either'),
  text('a long line that is none', 'x'.repeat(1_000_000)),
  text('50,000 videos', Array.from({ length: 50_000 }, (_, i) => `train${i % 9}/${i}`).join('\n'), 'accepted'),
  text('nothing', ''),
  text('a name that clears the screen', 'train0//\u001b[2J\u009b\n', 'either'),
];

export const episodesFormat: Format = {
  name: 'episodes',
  seeds,
  attacks,
  tokens: tokensOf(
    '{',
    '}',
    '[',
    ']',
    ',',
    '"episodes":',
    '"support":',
    '[[0]]',
    'null',
    '1e400',
    '-1',
    'train0//',
    'test1/',
    '//',
    '\n',
    'val',
  ),
  generate,
  restructure,
  read,
};
