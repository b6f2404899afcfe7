/** What decodes video here, and which codecs it knows (Node only). */
import { readFile } from 'node:fs/promises';
import { messageOf } from '../data/formats/dataError.ts';
import { type Av, loadAv } from './av.ts';

/** Codecs that videos come in, by FFmpeg's names. */
const notableCodecs = [
  'h264',
  'hevc',
  'vp8',
  'vp9',
  'av1',
  'vvc',
  'mpeg1video',
  'mpeg2video',
  'mpeg4',
  'h263',
  'prores',
  'dnxhd',
  'mjpeg',
  'theora',
  'wmv3',
  'ffv1',
] as const;

/** The video runtime of this installation. */
export interface VideoRuntime {
  /** The package and its version, and the version of FFmpeg in it; null if it cannot be loaded. */
  readonly package: string | null;
  readonly ffmpeg: string | null;
  /** FFmpeg's licence as it was built. */
  readonly license: string | null;
  /** Notable codecs that it decodes, and those that it does not. */
  readonly decoders: readonly string[];
  readonly missing: readonly string[];
  /** Why there is none; null if it works. */
  readonly problem: string | null;
}

/** Loads the runtime and asks what it is. */
export async function videoRuntime(): Promise<VideoRuntime> {
  let av: Av;
  try {
    av = await loadAv();
  } catch (error) {
    return { package: null, ffmpeg: null, license: null, decoders: [], missing: [...notableCodecs], problem: messageOf(error) };
  }
  const { version, configuration } = av.getFFmpegInfo();
  const id = (name: string): Parameters<Av['Codec']['findDecoder']>[0] =>
    av[`AV_CODEC_ID_${name.toUpperCase()}` as keyof Av] as Parameters<Av['Codec']['findDecoder']>[0];
  const has = (name: string): boolean => av.Codec.findDecoder(id(name)) !== null;
  return {
    package: `node-av ${await versionOfNodeAv()}`,
    ffmpeg: version,
    license: licenseOf(configuration),
    decoders: notableCodecs.filter(has),
    missing: notableCodecs.filter(name => !has(name)),
    problem: null,
  };
}

/** node-av does not export its package.json. */
async function versionOfNodeAv(): Promise<string> {
  const place = new URL('../../package.json', import.meta.resolve('node-av/lib'));
  return (JSON.parse(await readFile(place, 'utf8')) as { version: string }).version;
}

/** As FFmpeg's configure decides. */
function licenseOf(configuration: string): string {
  const is = (option: string): boolean => configuration.split(' ').includes(`--enable-${option}`);
  if (is('nonfree')) return 'nonfree';
  const family = is('gpl') ? 'GPL' : 'LGPL';
  return `${family} ${is('version3') ? '3' : is('gpl') ? '2' : '2.1'} or later`;
}
