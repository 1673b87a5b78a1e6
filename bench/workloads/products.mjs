/** Products of matrices in GFLOP/s, of a vector and a matrix in GB/s of the matrix. Ours keeps the second operand as [n, k], as weights are. */
import * as nnc from '../peers/nnc.mjs';
import { floats } from '../lib/random.mjs';

const sizes = [
  [256, 256, 256],
  [512, 512, 512],
  [1024, 1024, 1024],
  [128, 768, 3072],
  [1, 768, 3072],
  [1, 768, 50304],
];

async function own(target, a, transposed, [m, k, n]) {
  const source = `model Product(a: float[M, ${k}]) -> float[M, ${n}] { return a |> b: Linear(${n}, bias: false) }`;
  const start = new Map([['b.weight', { shape: [n, k], data: transposed }]]);
  const options = { path: 'product.nn', unit: 'Product', bounds: { M: m }, target };
  const net = await nnc.instance(source, options, start);
  const inputs = { a };
  return { run: () => net.forward(inputs).output.data[m * n - 1] };
}

export const workloads = sizes.map(([m, k, n]) => ({
  name: `product-${m}x${k}x${n}`,
  group: 'products',
  what: `[${m}, ${k}] @ [${k}, ${n}]`,
  unit: m === 1 ? 'GB/s' : 'GFLOP/s',
  /** In 1e6 a ms. */
  work: (m === 1 ? 4 * k * n : 2 * m * k * n) / 1e6,
  tolerance: 1e-3,
  async contenders(wanted) {
    const a = floats(1, m * k);
    const b = floats(2, k * n);
    const transposed = new Float32Array(k * n);
    for (let i = 0; i < k; i++) for (let j = 0; j < n; j++) transposed[j * k + i] = b[i * n + j];
    return wanted({
      'nnc wasm': () => own('wasm', a, transposed, [m, k, n]),
      'nnc ts': () => own('ts', a, transposed, [m, k, n]),
      'ort-web': async () => (await import('../peers/ort.mjs')).product('web', a, b, [m, k, n]),
      'jax-js': async () => (await import('../peers/jax.mjs')).product(a, b, [m, k, n]),
      'tfjs wasm': async () => (await import('../peers/tfjs.mjs')).product('wasm', a, b, [m, k, n]),
      'tfjs cpu': async () => (await import('../peers/tfjs.mjs')).product('cpu', a, b, [m, k, n]),
      'ort-node': async () => (await import('../peers/ort.mjs')).product('node', a, b, [m, k, n]),
    });
  },
}));
