/** Trains in a worker, and says how the loss fell: the emitted module is imported as it is. */
import { Fit } from './Fit.js';

const net = await Fit.create({ seed: 1 });
const image = Float32Array.from({ length: 64 * 64 }, (_, k) => (k * 7) % 17);
const label = Int32Array.from({ length: 64 }, (_, k) => k % 10);
const losses = [];
for (let step = 0; step < 20; step++) {
  if (step % 5 === 0) losses.push((await net.step({ image, label })).loss);
  else net.enqueue({ image, label });
}
await net.finished();
postMessage(`${net.target}: ${losses.map((l) => l.toFixed(4)).join(' ')}`);
