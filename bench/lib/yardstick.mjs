/** A fixed piece of JavaScript that nnc has no part in: what a short run measures its own times against. It never changes. */
import { floats } from './random.mjs';

const N = 128;
const [a, b, c] = [floats(1, N * N), floats(2, N * N), new Float32Array(N * N)];

/** [128, 128] @ [128, 128] in 2 x 2 blocks. */
export function yardstick() {
  for (let i = 0; i < N; i += 2) {
    for (let j = 0; j < N; j += 2) {
      let [s00, s01, s10, s11] = [0, 0, 0, 0];
      for (let k = 0; k < N; k++) {
        const [x, y] = [a[i * N + k], a[i * N + N + k]];
        const [u, v] = [b[k * N + j], b[k * N + j + 1]];
        s00 += x * u;
        s01 += x * v;
        s10 += y * u;
        s11 += y * v;
      }
      c[i * N + j] = s00;
      c[i * N + j + 1] = s01;
      c[i * N + N + j] = s10;
      c[i * N + N + j + 1] = s11;
    }
  }
  return null;
}
