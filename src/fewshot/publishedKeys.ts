/** What the keys of a published HyRSM++ configuration mean here. Pure. */
import { DataError } from '../data/formats/dataError.ts';
import { type HeadName, publishedHeads } from './heads/heads.ts';
import type { HyrsmOptions } from './heads/hyrsm.ts';
import { publishedClips } from './publishedClips.ts';
import type { Tree } from './publishedConfig.ts';
import { PublishedReader } from './publishedReader.ts';

export interface PublishedKeysOptions {
  /**
   * `intended` (default): where the published program does something else than its authors meant, what they meant, and the sane way in the few cases where
   * it should not have been done. `published`: what the program does.
   */
  readonly behaviour?: 'intended' | 'published';
  /** Whether the data set has a list of validation videos; default true. */
  readonly validation?: boolean;
}

/** A published configuration as one of ours. */
export interface ImportedConfig {
  /** Values of a few-shot configuration; what is not among them is as in `fewshot/video`. */
  readonly values: Tree;
  /** What is different from the published program, or may be thought to be, a line each. */
  readonly notes: readonly string[];
  /** Keys that mean nothing here and are none of the published code's own. */
  readonly strange: readonly string[];
}

const optimizers = ['adam', 'adamw', 'sgd', 'lars'];

/** Tests between epochs, where only the last one was meant to count. */
const validationEpisodes = 500;

/**
 * A resolved published configuration ({@link import('./publishedConfig.ts').resolvePublished}) as one of ours.
 * @param known keys that the published code has, such as its global defaults: those that mean nothing here are not {@link ImportedConfig.strange}
 * @param where the file, for messages
 * @throws DataError naming the key: another task, a missing or wrong value, or something that cannot be done here
 */
export function importPublished(
  tree: Tree,
  where: string,
  { behaviour = 'intended', validation = true }: PublishedKeysOptions = {},
  known: Tree = {},
): ImportedConfig {
  const read = new PublishedReader(tree, where);
  const isPublished = behaviour === 'published';
  const task = read.optional('TASK_TYPE', 'text');
  if (task !== 'few_shot_action')
    throw new DataError(where, `TASK_TYPE: expected few_shot_action, found ${JSON.stringify(task ?? null)}`);
  const notes: string[] = [];

  const head = read.oneOf('VIDEO.HEAD.NAME', Object.keys(publishedHeads)) as keyof typeof publishedHeads;
  const { head: method, references }: { head: HeadName; references?: HyrsmOptions['references'] } = publishedHeads[head];
  const { values: video, notes: ofClips } = publishedClips(read, isPublished);
  const { values: train, notes: ofTraining } = training(read, isPublished);
  const tests = read.count('TRAIN.NUM_TEST_TASKS');
  const { epochs } = train as { epochs: number };
  if (!isPublished && !validation) notes.push('the data set has no list to validate on: it is tested at the end only');
  const values = {
    task: 'fewshot',
    method,
    ...dataOf(read),
    video: { ...video, ...listsOf(read, validation) },
    episode: {
      way: read.count('TRAIN.WAY'),
      shot: read.count('TRAIN.SHOT'),
      queries: read.count('TRAIN.QUERY_PER_CLASS'),
      testQueries: read.count('TRAIN.QUERY_PER_CLASS_TEST'),
      testWay: read.optional('TRAIN.WAT_TEST', 'number') ?? null,
    },
    model: {
      frames: read.count('DATA.NUM_INPUT_FRAMES'),
      classes: read.optional('TRAIN.NUM_CLASS', 'number') ?? null,
      ...(references && { references }),
      attentionHeads: read.optional('TRAIN.HEAD', 'number') ?? 8,
      positions: positions(read),
      ...(method === 'hyrsm++-semi' && {
        semi: { temperature: read.number('TRAIN.SEMI_TEMPORAL'), threshold: read.number('TRAIN.SEMI_THRESHOLD') },
      }),
    },
    loss: losses(read),
    train,
    evaluation: {
      ...(isPublished
        ? { split: 'test', episodes: tests, every: 1 }
        : validation
          ? { split: 'val', episodes: validationEpisodes, every: 1 }
          : { split: 'test', episodes: validationEpisodes, every: epochs }),
      final: { split: 'test', episodes: tests },
    },
  };
  return { values, notes: [...notes, ...ofClips, ...ofTraining], strange: read.strange(known) };
}

function dataOf(read: PublishedReader) {
  const dir = read.optional('DATA.DATA_ROOT_DIR', 'text');
  return dir ? { data: { dir } } : {};
}

/** The list files; the published program knows them by their names in the folder of annotations. */
function listsOf(read: PublishedReader, validation: boolean) {
  const folder = read.optional('DATA.ANNO_DIR', 'text');
  if (!folder) return {};
  const list = (part: string): string => `${folder.replace(/\/+$/, '')}/${part}_few_shot.txt`;
  return { lists: { train: list('train'), val: validation ? list('val') : null, test: list('test') } };
}

/** `NO_POSITION` counts by being there, whatever its value. */
function positions(read: PublishedReader) {
  const attenuation = read.optional('TRAIN.POSITION_A', 'number') ?? 10;
  const weight = read.optional('TRAIN.POSITION_B', 'number') ?? 1;
  return read.has('TRAIN.NO_POSITION') ? null : { attenuation, weight };
}

function losses(read: PublishedReader) {
  const classified = read.flag('TRAIN.USE_CLASSIFICATION');
  const only = read.flag('TRAIN.USE_CLASSIFICATION_ONLY') && classified;
  const local = read.flag('TRAIN.USE_LOCAL');
  const weight = read.optional('TRAIN.TEMPORAL_LOSS_WEIGHT', 'number') ?? 0;
  // Coherence is read along with the others, as the keys are there without it too.
  const coherence = {
    weight,
    window: read.optional('TRAIN.WINDOW_SIZE', 'number') ?? 0,
    balance: read.optional('TRAIN.TEMPORAL_BALANCE', 'number') ?? 0,
    farWeight: read.optional('TRAIN.BALANCE_COEFFICIENT', 'number') || 1,
  };
  const share = read.optional('TRAIN.USE_CLASSIFICATION_VALUE', 'number');
  if (classified && share === undefined) throw read.missing('TRAIN.USE_CLASSIFICATION_VALUE', 'a number');
  return {
    matching: !only,
    classification: classified ? { weight: share, of: local && !only ? 'frames' : 'videos' } : null,
    // Without the other two the published program leaves it out.
    coherence: classified && local && !only && weight !== 0 ? coherence : null,
  };
}

function training(read: PublishedReader, isPublished: boolean): { readonly values: Tree; readonly notes: readonly string[] } {
  const notes: string[] = [];
  const accumulate = read.count('TRAIN.BATCH_SIZE_PER_TASK');
  const total = read.count('TRAIN.NUM_TRAIN_TASKS');
  const every = read.count('TRAIN.VAL_FRE_ITER');
  const iterations = Math.ceil(every / accumulate) * accumulate;
  const epochs = Math.max(1, Math.ceil(total / iterations));
  if (epochs * iterations !== total)
    notes.push(
      `${total} iterations with a test every ${every}: here ${epochs} epochs of ${iterations}, ${epochs * iterations} in all`,
    );
  const devices = read.optional('NUM_GPUS', 'number') ?? 1;
  if (devices > 1)
    notes.push(
      `NUM_GPUS ${devices}: the published processes all drew the same episodes; here one episode an iteration (train.parallel)`,
    );
  const batch = read.optional('TRAIN.BATCH_SIZE', 'number');
  if (batch !== undefined && batch !== accumulate)
    notes.push(`TRAIN.BATCH_SIZE ${batch}: losses are divided by the ${accumulate} episodes of a step here, not by it`);

  // Half renamed when it was published: the schedule is read from SOLVER, everything else from OPTIMIZER.
  const decays = ['SOLVER', 'OPTIMIZER'].map(section => read.optional(`${section}.WEIGHT_DECAY`, 'number'));
  const [meant, used] = decays;
  const weightDecay = isPublished ? (used ?? meant) : (meant ?? used);
  if (weightDecay === undefined) throw read.missing('SOLVER.WEIGHT_DECAY', 'a number');
  if (meant !== undefined && used !== undefined && meant !== used)
    notes.push(
      isPublished
        ? `OPTIMIZER.WEIGHT_DECAY ${used} is used, as by the published program; SOLVER says ${meant}`
        : `SOLVER.WEIGHT_DECAY ${meant} is used; the published program used that of OPTIMIZER, ${used}`,
    );
  const from = isPublished && read.has('OPTIMIZER.OPTIM_METHOD') ? 'OPTIMIZER' : 'SOLVER';
  read.sections('OPTIMIZER', 'MODEL.EMA', ...['OPTIM_METHOD', 'MOMENTUM', 'DAMPENING', 'NESTEROV'].map(key => `SOLVER.${key}`));
  refuse(read);
  const ema = read.flag('MODEL.EMA.ENABLE') ? read.number('MODEL.EMA.DECAY') : null;
  const values = {
    epochs,
    iterations,
    parallel: 1,
    accumulate,
    optimizer: read.oneOf(`${from}.OPTIM_METHOD`, optimizers),
    learningRate: read.number('SOLVER.BASE_LR'),
    momentum: read.optional(`${from}.MOMENTUM`, 'number') ?? 0.9,
    nesterov: read.flag(`${from}.NESTEROV`),
    weightDecay,
    groups: isPublished ? 'published' : 'intended',
    clipNorm: read.optional('TRAIN.CLIP_GRAD_NORM', 'number') || null,
    ema,
    schedule: {
      ...policy(read),
      iterations: read.count('SOLVER.STEPS_ITER'),
      doubled: true,
      warmupEpochs: read.number('SOLVER.WARMUP_EPOCHS'),
      warmupFrom: read.number('SOLVER.WARMUP_START_LR'),
    },
    seed: read.optional('RANDOM_SEED', 'number') ?? 0,
  };
  return { values, notes };
}

function policy(read: PublishedReader): Tree {
  const epochs = read.number('SOLVER.MAX_EPOCH');
  const name = read.oneOf('SOLVER.LR_POLICY', ['steps_with_relative_lrs', 'cosine']);
  if (name === 'cosine') return { kind: 'cosine', epochs };
  return { kind: 'steps', epochs, steps: read.numbers('SOLVER.STEPS'), factors: read.numbers('SOLVER.LRS') };
}

/** What the published program can do and this one does not. */
function refuse(read: PublishedReader): void {
  read.must('BN.WB_LOCK', false);
  read.must('BN.WEIGHT_DECAY', 0);
  read.must('TRAIN.LR_REDUCE', false);
  read.must('OPTIMIZER.ADJUST_LR', false);
}
