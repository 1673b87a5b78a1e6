/** The name that someone probably meant: fewest edits (Damerau and Levenshtein, adjacent swaps count one), at most a third of its letters. */
export function nearestName(wanted: string, names: readonly string[]): string | null {
  let best: string | null = null;
  let least = Infinity;
  for (const name of names) {
    const a = wanted.toLowerCase();
    const b = name.toLowerCase();
    // A plural or a longer form is near however long it is: image, images, image_id.
    const distance = b.startsWith(a) || a.startsWith(b) ? Math.min(2, Math.abs(a.length - b.length)) : edits(a, b);
    if (distance < least && distance <= Math.max(1, Math.floor(Math.max(a.length, b.length) / 3))) {
      best = name;
      least = distance;
    }
  }
  return best;
}

function edits(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length]!;
}
