/** How many characters to insert, delete, replace or swap with their neighbour to make one text of another. */
export function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, rows[i - 1][j] + 1, row[j - 1] + 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

/**
 * The valid key path that a misspelt one most likely means: the one whose last part is nearest, one in the same place preferred
 * by one edit; the first of equals.
 * @param path the misspelt path, e.g. `train.epoch`
 * @param valid all valid paths; undefined is returned if there are none
 */
export function nearestKey(path: string, valid: readonly string[]): string | undefined {
  const [parent, whole] = divide(path);
  // What is longer than any key is no misspelling; comparing it would only take long.
  const name = whole.slice(0, 100);
  let nearest: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of valid) {
    const [place, last] = divide(candidate);
    const distance = editDistance(name.toLowerCase(), last.toLowerCase()) + (place === parent ? 0 : 1);
    if (distance < least) [nearest, least] = [candidate, distance];
  }
  return nearest;
}

function divide(path: string): [parent: string, name: string] {
  const dot = path.lastIndexOf('.');
  return [path.slice(0, Math.max(0, dot)), path.slice(dot + 1)];
}
