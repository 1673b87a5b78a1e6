/** Numbers for the workloads: the 32-bit generator "mulberry32". Time does not depend on the values; equal values let results be compared. */
export function generator(seed) {
  let state = seed;
  return (lo, hi) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return lo + ((hi - lo) * ((x ^ (x >>> 14)) >>> 0)) / 2 ** 32;
  };
}

export function floats(seed, length, lo = -1, hi = 1) {
  const draw = generator(seed);
  const data = new Float32Array(length);
  for (let i = 0; i < length; i++) data[i] = draw(lo, hi);
  return data;
}

export function whole(seed, length, below) {
  const draw = generator(seed);
  return Int32Array.from({ length }, () => Math.floor(draw(0, below)));
}

export const count = (shape) => shape.reduce((n, extent) => n * extent, 1);

/**
 * Starting weights by path: uniform within ±1/√fan (the last axes' product) for matrices, 0 for biases, 1 for the scales of normalisations.
 * `leaves`: path → shape.
 */
export function weights(seed, leaves) {
  const map = new Map();
  for (const [path, shape] of Object.entries(leaves)) {
    const length = count(shape);
    const isBias = path.endsWith('bias');
    const isScale = shape.length === 1 && !isBias;
    const limit = isBias ? 0 : 1 / Math.sqrt(count(shape.slice(1)));
    map.set(path, {
      shape,
      data: isScale ? new Float32Array(length).fill(1) : floats(seed + map.size, length, -limit, limit),
    });
  }
  return map;
}
