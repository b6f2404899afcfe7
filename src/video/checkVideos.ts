/** Looks a data set of videos over (Node only). */
import type { Finding } from '../data/checkData.ts';
import { DataError } from '../data/formats/dataError.ts';
import { countsPerClass } from '../data/labels.ts';
import { openVideoDataset, type VideoDataset, type VideoItem, type VideoSource } from './datasets.ts';
import { openVideo } from './decode.ts';

/** How thoroughly to look. */
export interface CheckVideosOptions {
  /** Whether to decode every video, to its last frame. */
  readonly decode?: boolean;
  readonly onProgress?: (done: number, total: number, name: string) => void;
  /** Ends decoding after the video at hand; what was found by then is told. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a data set of videos and says what is wrong, strange and there, in this order. Problems of the data are findings, not exceptions.
 */
export async function checkVideos(source: VideoSource, options: CheckVideosOptions = {}): Promise<Finding[]> {
  let dataset: VideoDataset;
  try {
    dataset = await openVideoDataset(source);
  } catch (thrown) {
    if (!(thrown instanceof DataError)) throw thrown;
    return [{ level: 'error', message: thrown.message }];
  }
  const findings = [...dataset.warnings.map((message): Finding => ({ level: 'warning', message })), ...describe(dataset)];
  if (options.decode) findings.push(...(await decodeAll(dataset.items, options)));
  const rank = { error: 0, warning: 1, info: 2 };
  return findings.sort((a, b) => rank[a.level] - rank[b.level]);
}

function describe({ format, classes, items, files }: VideoDataset): Finding[] {
  const findings: Finding[] = [];
  const add = (level: Finding['level'], message: string): void => {
    findings.push({ level, message });
  };
  const parts = (['train', 'test', undefined] as const).filter(part => items.some(item => item.part === part));
  const videosOf = (part?: string): string => `${part ? `${part} ` : ''}videos`;
  const sizes = parts.map(part => `${items.filter(item => item.part === part).length} ${videosOf(part)}`);
  add('info', `${format}: ${classes.length} classes, ${sizes.join(', ')}`);
  if (files.length > 0)
    add('info', `labels from ${files.slice(0, 3).join(', ')}${files.length > 3 ? `, and ${files.length - 3} more` : ''}`);
  for (const part of parts) {
    const counts = classes.map(() => 0);
    for (const item of items) if (item.part === part) counts[item.label]++;
    add('info', `${videosOf(part)} per class: ${countsPerClass(classes, counts)}`);
    const none = classes.filter((_, i) => counts[i] === 0);
    if (none.length > 0) add('warning', `${none.length} classes without ${videosOf(part)}: ${shown(none)}`);
  }
  return findings;
}

function shown(names: readonly string[], most = 20): string {
  const more = names.length - most;
  return names.slice(0, most).join(', ') + (more > 0 ? `, and ${more} more` : '');
}

async function decodeAll(items: readonly VideoItem[], { onProgress, signal }: CheckVideosOptions): Promise<Finding[]> {
  const findings: Finding[] = [];
  const frames: number[] = [];
  let done = 0;
  // One after the other: FFmpeg's messages belong to the process, not to a video, and its decoders use all cores.
  for (const { name, path } of items) {
    if (signal?.aborted) break;
    try {
      frames.push(await decode(path, line => findings.push({ level: 'warning', message: `${name}: ${line}` })));
    } catch (thrown) {
      if (!(thrown instanceof DataError)) throw thrown;
      findings.push({ level: 'error', message: thrown.message });
    }
    onProgress?.(++done, items.length, name);
  }
  if (done < items.length) findings.push({ level: 'warning', message: `stopped after ${done} of ${items.length} videos` });
  if (frames.length > 0) {
    frames.sort((a, b) => a - b);
    const [fewest, median, most] = [0, Math.floor(frames.length / 2), frames.length - 1].map(i => frames[i]);
    findings.push({
      level: 'info',
      message: `decoded ${frames.length} of ${items.length} videos: ${fewest} / ${median} / ${most} frames (fewest / median / most)`,
    });
  }
  return findings;
}

/** Frames of a video; errors on the way are told. */
async function decode(path: string, onDamage: (line: string) => void): Promise<number> {
  const frames = (await openVideo(path)).frames({ indices: [], onDamage });
  for (;;) {
    const { done, value } = await frames.next();
    if (done) return value.frames;
  }
}
