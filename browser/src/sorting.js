// Positions 0 to n - 1 by rising key from 0 to 1, equal ones as they were. Key and position share one number, because
// numbers are sorted many times faster than by a function that compares two. Keys that differ by less than 2^-26 (of
// up to 67 million positions) may count as equal.

export function rising(n, keyOf) {
  const places = 2 ** Math.ceil(Math.log2(n + 1)),
    steps = 2 ** 52 / places - 1,
    packed = new Float64Array(n);
  for (let i = 0; i < n; i++) packed[i] = Math.floor(Math.min(Math.max(keyOf(i), 0), 1) * steps) * places + i;
  packed.sort();
  const order = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = packed[i] % places;
  return order;
}
