import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { encodeSafetensors } from '../../src/data/formats/safetensors.ts';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { meanBackbone } from '../video/meanBackbone.ts';
import { writeVideo } from '../video/writeVideo.ts';
import { runCli } from './runCli.ts';

let dir = '';
const inkling = (...args: string[]) => runCli(args, dir);
const json = async (...args: string[]) => {
  const { code, stdout, stderr } = await inkling(...args, '--json');
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
};

/** A picture that turns from red to another colour, brighter or darker. */
const video = (file: string, frames: number, [green, blue]: readonly [number, number], light: number) =>
  writeVideo(join(dir, file), {
    ...{ frames, height: 4, width: 6 },
    pixel: (i, _, x) => {
      const along = i / (frames - 1);
      // Uneven, so that squares elsewhere and mirrored ones differ a little.
      const shade = light - 4 * x;
      return [Math.round((1 - along) * shade), Math.round(green * along * shade), Math.round(blue * along * shade)];
    },
  });
const features = (file: string, ...rows: number[][]) =>
  writeFile(join(dir, file), encodeNpy(fromNumbers(rows.flat(), [rows.length, rows[0]?.length ?? 3], 'float32')));

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-teach-'));
  await mkdir(join(dir, 'blue'));
  await writeFile(join(dir, 'mean.onnx'), meanBackbone());
  for (const [i, frames] of [12, 20, 31].entries()) {
    await video(`green${i}.mkv`, frames, [1, 0], 250 - 40 * i);
    await video(`blue/${i}.mkv`, frames, [0, 1], 250 - 40 * i);
  }
  await video('grey.mkv', 12, [1, 1], 200);
  await features('a0.npy', [1, 0, 0], [1, 0.1, 0]);
  await features('a1.npy', [1, 0, 0.1], [1, 0, 0]);
  await features('a2.npy', [0.9, 0.1, 0]);
  await features('b0.npy', [0, 1, 0], [0, 1, 0.1]);
  await features('b1.npy', [0.1, 1, 0]);
  await features('far.npy', [-1, -1, 3]);
  await features('wide.npy', [1, 2, 3, 4]);
  await writeFile(join(dir, 'empty.npy'), encodeNpy(fromNumbers([], [0, 3], 'float32')));
  await writeFile(join(dir, 'weights.safetensors'), Buffer.concat(encodeSafetensors({ w: fromNumbers([1], [1], 'float32') })));
  expect((await inkling('teach', 'known', '--support', 'a=a0.npy,a1.npy', '--support', 'b=b0.npy,b1.npy')).code).toBe(0);
  const clips = ['--support', 'green=green0.mkv,green1.mkv', '--support', 'blue=blue'];
  expect((await inkling('teach', 'colours', ...clips, '--backbone', 'mean.onnx', '--frames', '4')).code).toBe(0);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('teach and predict', () => {
  it('from feature files: classes, distances, and none of these', async () => {
    const taught = await json('teach', 'known', '--support', 'a=a0.npy,a1.npy', '--support', 'b=b0.npy,b1.npy');
    expect(taught).toMatchObject({
      file: 'known.safetensors',
      classes: [
        { label: 'a', clips: 2 },
        { label: 'b', clips: 2 },
      ],
      ...{ metric: 'bi-mhm', frames: 8, width: 3, backbone: null, rejection: { source: 'leave-one-out', clips: 4 } },
    });
    const { threshold, own, other } = taught.rejection;
    expect(threshold).toBeCloseTo((own + other) / 2, 12);
    const found = await json('predict', 'known.safetensors', 'a2.npy', 'far.npy', '--alignment', 'match.svg', '--top', '1');
    expect(found.clips.map((each: { input: string; unknown: boolean }) => [each.input, each.unknown])).toEqual([
      ['a2.npy', false],
      ['far.npy', true],
    ]);
    expect(found.clips[0].classes).toHaveLength(1);
    expect(found.clips[0].classes[0].label).toBe('a');
    expect(found.threshold).toEqual({ value: threshold, source: 'leave-one-out' });
    expect(found.alignments).toEqual(['match.a2.svg', 'match.far.svg']);
    expect(await readFile(join(dir, 'match.far.svg'), 'utf8')).toMatch(/far\.npy: none of the classes; nearest [ab] \(bi-mhm/);
  });

  it('from videos: the same backbone looks at the clips to recognise', async () => {
    const { code, stdout } = await inkling('predict', 'colours.safetensors', 'green2.mkv', 'blue/2.mkv', '--top', '2');
    expect(code).toBe(0);
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^input +class +distance +probability +verdict$/);
    expect(lines[1]).toMatch(/^green2\.mkv +green +\S+ +\d+\.\d\d % +known$/);
    expect(lines[2]).toMatch(/^ +blue +\S+ +\d+\.\d\d %$/);
    expect(lines[3]).toMatch(/^blue\/2\.mkv +blue +\S+ +\d+\.\d\d % +known$/);
    expect(stdout).toMatch(/none of these: farther than \S+, half-way from \S+ \(5 clips to their own class/);
    expect(stdout).toContain('2 clips, 0 none of the classes\n');
    // The frames' own colours are the features: of four parts of twelve frames those of the middle.
    const [clip] = (await json('predict', 'colours.safetensors', 'green0.mkv')).clips;
    expect(clip.nearest.support).toBe('green0.mkv');
    expect(clip.nearest.distance).toBeCloseTo(0, 5);
  });

  it('takes another threshold, folders, and writes files', async () => {
    const args = ['--threshold', '0.000001', '--out', 'found.json', '--alignment', 'one.svg'];
    const { stdout } = await inkling('predict', 'colours.safetensors', 'blue', 'grey.mkv', ...args);
    expect(stdout).toBe('found.json: 4 clips, 1 none of the classes\n');
    const { clips, threshold } = JSON.parse(await readFile(join(dir, 'found.json'), 'utf8'));
    expect(threshold).toEqual({ value: 0.000001, source: 'given' });
    expect(clips.map((each: { input: string }) => each.input)).toEqual(['blue/0.mkv', 'blue/1.mkv', 'blue/2.mkv', 'grey.mkv']);
    expect((await readdir(dir)).filter(name => name.startsWith('one.'))).toEqual([
      'one.0.svg',
      'one.1.svg',
      'one.2.svg',
      'one.grey.svg',
    ]);
  });

  it('with one clip a class the threshold comes from changed views, and it says so', async () => {
    const clips = ['--support', 'green=green0.mkv', '--support', 'blue=blue/0.mkv'];
    const { code, stdout } = await inkling('teach', 'single', ...clips, '--backbone', 'mean.onnx', '--metric', 'otam');
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^one clip a class: the threshold comes from augmented views, .*surer$/m),
    ]);
    const { rejection } = await json('teach', 'single', ...clips, '--backbone', 'mean.onnx', '--metric', 'otam');
    expect(rejection).toMatchObject({ source: 'views', clips: 2 });
    expect(rejection.other).toBeGreaterThan(rejection.own);
    expect(rejection.threshold).toBeCloseTo(rejection.own + 0.85 * (rejection.other - rejection.own), 12);
    const predicted = await inkling('predict', 'single.safetensors', 'green1.mkv');
    expect(predicted.stdout).toContain('the threshold comes from augmented views');
  });

  it('knows its backbone by content, wherever it is', async () => {
    await writeFile(join(dir, 'moved.onnx'), meanBackbone());
    await rename(join(dir, 'mean.onnx'), join(dir, 'away.onnx'));
    try {
      const gone = await inkling('predict', 'colours.safetensors', 'green2.mkv');
      expect([gone.code, gone.stderr]).toEqual([
        1,
        expect.stringMatching(
          /^error: .*mean\.onnx: the backbone that the recogniser was taught with is not there; --backbone FILE/,
        ),
      ]);
      expect((await inkling('predict', 'colours.safetensors', 'green2.mkv', '--backbone', 'moved.onnx')).code).toBe(0);
      await writeFile(join(dir, 'mean.onnx'), meanBackbone({ batch: 2 }));
      const changed = await inkling('predict', 'colours.safetensors', 'green2.mkv');
      expect([changed.code, changed.stderr]).toEqual([
        1,
        expect.stringMatching(
          /^error: .*mean\.onnx: the backbone has changed since .*expected SHA-256 \w{12}\.\.\., found \w{12}\.\.\.;.*\n$/,
        ),
      ]);
    } finally {
      await rename(join(dir, 'away.onnx'), join(dir, 'mean.onnx'));
    }
  });

  it('a clip that cannot be read does not lose the others', async () => {
    const { code, stdout, stderr } = await inkling('predict', 'known.safetensors', 'wide.npy', 'a2.npy', 'green0.mkv');
    expect(code).toBe(1);
    expect(stderr).toBe(
      'error: wide.npy: expected features of width 3 as the recogniser has, found 4\n' +
        'error: green0.mkv: expected features (.npy, .npz): the recogniser was taught by features, without a backbone for videos\n',
    );
    expect(stdout).toMatch(/^a2\.npy +a /m);
    expect(stdout).toContain('1 clip, 0 none of the classes');
  });
});

const two = ['--support', 'a=a0.npy', '--support', 'b=b0.npy'];

describe('one line for', () => {
  it.each([
    [['--support', 'a='], '--support "a=": class "a" has no clip'],
    [['--support', 'a0.npy'], '--support "a0.npy": expected CLASS=CLIP,CLIP,...'],
    [['--support', 'a=a0.npy'], 'support: expected at least 2 classes to tell apart, found "a"'],
    [['--support', 'a=a0.npy', '--support', 'a=a1.npy'], 'support "a": the class is there twice; name all its clips at once'],
    [
      ['--support', 'x=y=a0.npy', ...two],
      '--support "x=y=a0.npy": a class name cannot hold "=": this is class "x" and a clip "y=a0.npy", which is not there',
    ],
    [['--support', 'a=a0.npy', '--support', 'b=wide.npy'], 'wide.npy: expected features of width 3 as in a0.npy, found 4'],
    [['--support', 'a=a0.npy', '--support', 'b=empty.npy'], 'empty.npy: the video is empty: its features have no rows'],
    [['--support', 'a=a0.npy', '--support', 'b=none.npy'], 'none.npy: no such file'],
    [['--support', 'a=a0.npy', '--support', 'b=b0.npy,./a0.npy'], './a0.npy: the clip is there twice, in classes "a" and "b"'],
    [
      ['--support', 'a=green0.mkv', '--support', 'b=grey.mkv'],
      'green0.mkv: expected features (.npy, .npz); a video needs --backbone MODEL.onnx',
    ],
    [[...two, '--metric', 'all'], '--metric: a recogniser has one metric; inkling eval fewshot compares all'],
    [
      [...two, '--out', 'weights.safetensors'],
      'weights.safetensors: is there already and is no recogniser; --out FILE chooses another name',
    ],
    [[...two, '--out', 'no/where.safetensors'], 'no/where.safetensors: there is no folder no to write it to'],
  ])('teach %j', async (args, message) => {
    const { code, stdout, stderr } = await inkling('teach', 'bad', ...args);
    expect([code, stdout, stderr]).toEqual([1, '', `error: ${message}\n`]);
    expect((await readdir(dir)).includes('bad.safetensors')).toBe(false);
  });

  it.each([
    [['known.safetensors', 'none.npy'], /^error: none\.npy: no such file/],
    [
      ['known.safetensors', 'a2.npy', '--accept', '0.9'],
      /^error: --accept does not go with a recogniser of teach, which known\.safetensors is\n$/,
    ],
    [
      ['weights.safetensors', 'a2.npy', '--threshold', '3'],
      /^error: --threshold goes with a recogniser of teach; weights\.safetensors is none\n$/,
    ],
    [
      ['known.safetensors', 'a2.npy', '--alignment', 'no/where.svg'],
      /^error: no\/where\.svg: there is no folder no to write it to\n$/,
    ],
  ])('predict %j', async (args, message) => {
    const { code, stdout, stderr } = await inkling('predict', ...args);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
  });

  it('a name that is a path', async () => {
    expect((await inkling('teach', 'a/b', ...two)).stderr).toBe(
      'error: "a/b": expected a name, not a path; --out FILE says where it goes\n',
    );
  });
});
