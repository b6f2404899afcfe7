/** Numbers as people read them. */

/** 12584960 as `12,584,960`. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A number with one of decimal prefixes: 12608491520 as `12.61 G`. */
export function flopsText(count: number): string {
  const units = ['', 'k', 'M', 'G', 'T', 'P'];
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(4)} ${units[unit]}`;
}

/** Bytes in decimal units: 58929248 as `58.9 MB`. */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${bytes === 1 ? 'byte' : units[unit]}`;
}
