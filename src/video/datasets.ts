/** Data sets of labelled videos on disk (Node only). */
import { DataError } from '../data/formats/dataError.ts';
import { findVideos } from './videoFiles.ts';

/** How videos are labelled. */
export const videoFormats = ['auto', 'folders', 'lists', 'ucf101', 'hmdb51', 'moments-in-time', 'kinetics'] as const;
export type VideoFormat = (typeof videoFormats)[number];

/** Where videos and labels are. */
export interface VideoSource {
  readonly dir: string;
  readonly format: VideoFormat;
  readonly split?: 1 | 2 | 3;
}

/** A labelled video. */
export interface VideoItem {
  readonly name: string;
  readonly path: string;
  readonly label: number;
  readonly part?: 'train' | 'test';
}

/** Labelled videos. */
export interface VideoDataset {
  readonly classes: readonly string[];
  readonly items: readonly VideoItem[];
  readonly files: readonly string[];
  readonly warnings: readonly string[];
}

/** Opens a data set of videos. */
export async function openVideoDataset({ dir, format }: VideoSource): Promise<VideoDataset> {
  if (format !== 'auto' && format !== 'folders') throw new DataError(dir, `format ${format} is not read yet`);
  const videos = (await findVideos(dir)).flatMap(video =>
    typeof video.label === 'string' ? [{ ...video, label: video.label }] : [],
  );
  if (videos.every(({ label }) => label === 'train' || label === 'test')) {
    const names = videos.map(({ name }) => name.split('/')[1]);
    const classes = [...new Set(names)].sort();
    const items = videos.map(({ name, path, label }, i) => ({
      name,
      path,
      label: classes.indexOf(names[i]),
      part: label as 'train' | 'test',
    }));
    return { classes, items, files: [], warnings: [] };
  }
  const classes = [...new Set(videos.map(({ label }) => label))].sort();
  const items = videos.map(({ name, path, label }) => ({ name, path, label: classes.indexOf(label) }));
  return { classes, items, files: [], warnings: [] };
}
