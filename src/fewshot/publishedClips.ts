/** What the keys of a published HyRSM++ configuration say about clips. Pure. */
import type { Tree } from './publishedConfig.ts';
import type { PublishedReader } from './publishedReader.ts';

/** Rates above this mean one frame from each of equal blocks. */
const largestInterval = 40;

/** The part `video` of a configuration, as far as the published one decides it. */
export function publishedClips(
  read: PublishedReader,
  isPublished: boolean,
): { readonly values: Tree; readonly notes: readonly string[] } {
  const notes: string[] = [];
  const scaled = sizeOf(read, 'DATA.TRAIN_JITTER_SCALES');
  const testScaled = sizeOf(read, 'DATA.TEST_SCALE');
  if (scaled.join() !== testScaled.join())
    throw read.wrong('DATA.TEST_SCALE', `that of training, ${scaled.join(' x ')}`, testScaled);
  const size = read.count('DATA.TRAIN_CROP_SIZE');
  read.must('DATA.TEST_CROP_SIZE', size);
  read.must('DATA.TEST_CENTER_CROP', true);
  read.must('VIDEO.BACKBONE.META_ARCH', 'Identity');
  const crops = read.optional('TEST.NUM_SPATIAL_CROPS', 'number') ?? 1;
  if (crops !== 1 && crops !== 3) throw read.wrong('TEST.NUM_SPATIAL_CROPS', '1 or 3', crops);
  const sampling = samplingOf(read, isPublished);
  if (!isPublished && sampling.sampling === 'blocks')
    notes.push('tests take the middle frame of each block; the published program draws any (video.testFrames: random)');
  const { support, query, note } = changesOf(read, isPublished);
  if (note) notes.push(note);
  const fixed = read.value('TRAIN.FIXED_WEIGHTS');
  const isFixed = Array.isArray(fixed) ? fixed.length > 0 : Boolean(fixed);
  if (isFixed && String(fixed) !== 'backbone') throw read.wrong('TRAIN.FIXED_WEIGHTS', 'backbone, or nothing', fixed);
  const values = {
    frames: read.count('DATA.NUM_INPUT_FRAMES'),
    size,
    scaled,
    ...sampling,
    normalize: { mean: colours(read, 'DATA.MEAN'), std: colours(read, 'DATA.STD') },
    support,
    query,
    test: { views: read.optional('TEST.NUM_ENSEMBLE_VIEWS', 'number') ?? 1, crops },
    backbone: {
      network: read.oneOf('VIDEO.HEAD.BACKBONE_NAME', ['resnet18', 'resnet34', 'resnet50']),
      trained: !isFixed,
      norms: read.flag('BN.FREEZE') ? 'running' : 'batch',
    },
  };
  return { values, notes };
}

/** Height and width; one number is both. */
function sizeOf(read: PublishedReader, key: string): readonly number[] {
  const value = read.value(key);
  if (typeof value === 'number') return [value, value];
  const pair = read.numbers(key);
  if (pair.length !== 2) throw read.wrong(key, 'a height and a width', pair);
  return pair;
}

function colours(read: PublishedReader, key: string): readonly number[] {
  const three = read.numbers(key);
  if (three.length !== 3) throw read.wrong(key, 'three numbers', three);
  return three;
}

function samplingOf(read: PublishedReader, isPublished: boolean) {
  for (const key of ['DATA.SAMPLING_RATE_TRAIN', 'DATA.SAMPLING_RATE_TEST'])
    if (read.has(key)) throw read.wrong(key, 'no rate but DATA.SAMPLING_RATE', read.value(key));
  const mode = read.oneOf('DATA.SAMPLING_MODE', ['interval_based', 'segment_based']);
  const rate = read.count('DATA.SAMPLING_RATE');
  const targetFramesPerSecond = read.number('DATA.TARGET_FPS');
  const short = isPublished ? 'published' : 'scaled';
  const testFrames = isPublished ? 'random' : 'middle';
  const common = { targetFramesPerSecond, short, testFrames };
  if (mode === 'segment_based') return { ...common, sampling: 'segments' };
  return rate > largestInterval ? { ...common, sampling: 'blocks' } : { ...common, sampling: 'interval', interval: rate };
}

/** Random changes of supports and of queries. */
function changesOf(read: PublishedReader, isPublished: boolean) {
  for (const key of ['CONSISTENT', 'SHUFFLE', 'GRAY_FIRST']) read.must(`AUGMENTATION.${key}`, true);
  const number = (name: string, otherwise: number): number => read.optional(`AUGMENTATION.${name}`, 'number') ?? otherwise;
  const jitter = {
    probability: 1,
    brightness: number('BRIGHTNESS', 0),
    contrast: number('CONTRAST', 0),
    saturation: number('SATURATION', 0),
    hue: number('HUE', 0),
    grayscale: number('GRAYSCALE', 0),
  };
  const erases = read.flag('AUGMENTATION.RANDOM_ERASING.ENABLE') && !read.flag('AUGMENTATION.NO_RANDOM_ERASE');
  const erase = erases ? erasing(read) : null;
  read.sections('AUGMENTATION.RANDOM_ERASING', 'AUGMENTATION.NO_RANDOM_ERASE');
  const plain = {
    flip: read.flag('AUGMENTATION.RANDOM_FLIP') ? 0.5 : 0,
    colour: read.flag('AUGMENTATION.COLOR_AUG') ? jitter : null,
    erase,
  };
  const both = read.flag('AUGMENTATION.SUPPORT_QUERY_DIFF_SUPPORT');
  const changes = { flip: 0.5, colour: jitter, erase };
  const query = read.flag('AUGMENTATION.SUPPORT_QUERY_DIFF') ? changes : plain;
  const support = both ? changes : plain;
  // The family of data sets; where none is named, it is Something-Something.
  const family = read.optional('TRAIN.DATASET_FEW', 'text') ?? 'Ssv2_few_shot';
  if (isPublished || family !== 'Ssv2_few_shot' || (query.flip === 0 && support.flip === 0)) return { support, query };
  return {
    support: { ...support, flip: 0 },
    query: { ...query, flip: 0 },
    note: 'clips are not mirrored, since classes of Something-Something are told apart by left and right; the published program mirrors queries',
  };
}

function erasing(read: PublishedReader) {
  const fills: Readonly<Record<string, string>> = { const: 'zero', rand: 'channel', pixel: 'value' };
  const key = (name: string): string => `AUGMENTATION.RANDOM_ERASING.${name}`;
  const count = read.value(key('COUNT'));
  if (count !== undefined && String(count) !== '1,1' && count !== 1) throw read.wrong(key('COUNT'), '[1, 1]', count);
  return {
    probability: read.number(key('PROB')),
    area: read.numbers(key('AREA_RANGE')),
    minAspect: read.number(key('MIN_ASPECT')),
    fill: fills[read.oneOf(key('MODE'), Object.keys(fills))],
  };
}
