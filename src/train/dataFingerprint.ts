/** What a run read, as digests: two runs with the same fingerprint had the same data (Node). */
import { relative, sep } from 'node:path';
import { sha256, sha256OfFile } from './sha256.ts';

/** SHA-256 in hexadecimal by file, in the order of the names. */
export type FileDigests = ReadonlyMap<string, string>;

/** Takes files as they are read. */
export interface DataCollector {
  /** Takes a file's content; one that was taken already, or comes after the end, is not looked at. */
  add(path: string, bytes: Uint8Array): void;
  /** Reads a file for its digest alone, in pieces. @throws DataError naming the file if it cannot be read */
  addFile(path: string): Promise<void>;
  /** Takes no more; gives what there was. */
  end(): DataFingerprint;
}

export interface DataFingerprint {
  /** The SHA-256 of {@link digestLines}. */
  readonly sha256: string;
  readonly bytes: number;
  readonly files: FileDigests;
}

/** Collects the digests of files; they are named relative to a folder, with slashes. */
export function dataCollector(dir: string): DataCollector {
  const digests = new Map<string, string>();
  let bytes = 0;
  let ended = false;
  const nameOf = (path: string): string => relative(dir, path).split(sep).join('/');
  const put = (name: string, digest: string, size: number): void => {
    if (ended || digests.has(name)) return;
    digests.set(name, digest);
    bytes += size;
  };
  return {
    add: (path, content) => {
      const name = nameOf(path);
      if (!ended && !digests.has(name)) put(name, sha256(content), content.length);
    },
    addFile: async path => {
      const name = nameOf(path);
      if (ended || digests.has(name)) return;
      const { digest, size } = await sha256OfFile(path);
      put(name, digest, size);
    },
    end: () => {
      ended = true;
      const files = new Map([...digests].sort(([a], [b]) => (a < b ? -1 : 1)));
      return { sha256: sha256(digestLines(files)), bytes, files };
    },
  };
}

/** Digests as `sha256sum` prints and checks them: a line of digest, two spaces and name each. */
export function digestLines(files: FileDigests): string {
  const escaped = (name: string) => name.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/\r/g, '\\r');
  const line = (name: string, digest: string) => {
    const text = escaped(name);
    // A backslash in front says that the name is escaped.
    return `${text === name ? '' : '\\'}${digest}  ${text}\n`;
  };
  return [...files].map(([name, digest]) => line(name, digest)).join('');
}

/** Reads {@link digestLines} back; lines of another form are left out. */
export function parseDigestLines(text: string): FileDigests {
  const files = new Map<string, string>();
  for (const [, escaped, digest, name] of text.matchAll(/^(\\?)([0-9a-f]{64}) {2}(.+)$/gm)) {
    files.set(escaped ? name.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c === 'r' ? '\r' : c)) : name, digest);
  }
  return files;
}

/** What differs between the data of two moments, in words; empty if nothing does. */
export function dataChanges(before: FileDigests, after: FileDigests): string {
  const names = [...after.keys()];
  const kinds = {
    changed: names.filter(name => before.has(name) && before.get(name) !== after.get(name)),
    new: names.filter(name => !before.has(name)),
    'no longer read': [...before.keys()].filter(name => !after.has(name)),
  };
  return Object.entries(kinds)
    .filter(([, files]) => files.length > 0)
    .map(([kind, files]) => `${kind}: ${firstOf(files)}`)
    .join('; ');
}

function firstOf(files: readonly string[], most = 5): string {
  const more = files.length - most;
  return files.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
