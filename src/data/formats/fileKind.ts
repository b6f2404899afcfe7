/** What a file seems to be by its first bytes, for messages about files that are something else than was expected. */

/** Beginnings by which files are known; some are not at the very start. */
const beginnings: readonly (readonly [start: string, what: string, at?: number])[] = [
  ['version https://git-lfs', 'a pointer of Git LFS, not the file itself (git lfs pull gets it)'],
  ['<', 'a web page or XML (a download that failed?)'],
  ['{', 'JSON'],
  ['\x89HDF', 'an HDF5 file'],
  ['\x1f\x8b', 'a gzip archive'],
  ['\x93NUMPY', 'a .npy file'],
  ['\x89PNG', 'a PNG picture'],
  ['\xff\xd8\xff', 'a JPEG picture'],
  ['%PDF', 'a PDF document'],
  ['\x7fELF', 'a program (ELF)'],
  ['ftyp', 'a video (MP4 or MOV)', 4],
  ['\x1aE\xdf\xa3', 'a video (Matroska or WebM)'],
  ['RIFF', 'a RIFF file (AVI, WAV or WebP)'],
  ['7z\xbc\xaf', 'a 7-Zip archive'],
  ['BZh', 'a bzip2 archive'],
  ['\xfd7zXZ', 'an xz archive'],
  ['(\xb5/\xfd', 'a Zstandard archive'],
  ['PK', 'a zip archive'],
];

/** What the file surely is; undefined if its beginning is none of those that are known. */
export function knownKind(file: Uint8Array): string | undefined {
  return beginnings.find(([start, , at = 0]) => startsWith(file, start, at))?.[1];
}

/** What the file seems to be: as {@link knownKind}, else a safetensors file, text with its first line, or its first bytes. */
export function seemsToBe(file: Uint8Array): string {
  if (file.length === 0) return 'an empty file';
  const known = knownKind(file);
  if (known !== undefined) return known;
  if (file[8] === 0x7b && file[7] === 0 && file[6] === 0) return 'a .safetensors file (it lacks that ending)';
  const start = file.subarray(0, 512);
  const text = new TextDecoder().decode(start);
  const isControl = (byte: number): boolean => byte < 0x20 && (byte < 0x09 || byte > 0x0d);
  // A character cut at the end of what was decoded is no sign.
  if (!start.some(isControl) && !text.slice(0, -1).includes('\ufffd')) {
    const line = text.split(/[\r\n]/).find(each => each.trim() !== '') ?? '';
    return `text (${JSON.stringify(line.trim().slice(0, 60))})`;
  }
  const hex = [...file.subarray(0, 8)].map(byte => byte.toString(16).padStart(2, '0')).join(' ');
  return `something else (it begins with ${hex})`;
}

/** Whether a file has these characters, one a byte, at a place. */
export function startsWith(bytes: Uint8Array, text: string, at = 0): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}
