/** ConvNetJS 0.3.0: trains on one picture after the other; its weights are its own, so its loss is not compared. */
import { createRequire } from 'node:module';

const convnetjs = createRequire(import.meta.url)('convnetjs');
export const version = '0.3.0';

const layers = {
  mlp: [
    { type: 'input', out_sx: 1, out_sy: 1, out_depth: 784 },
    { type: 'fc', num_neurons: 256, activation: 'relu' },
    { type: 'fc', num_neurons: 128, activation: 'relu' },
    { type: 'softmax', num_classes: 10 },
  ],
  cnn: [
    { type: 'input', out_sx: 28, out_sy: 28, out_depth: 1 },
    { type: 'conv', sx: 3, filters: 16, stride: 1, pad: 1, activation: 'relu' },
    { type: 'pool', sx: 2, stride: 2 },
    { type: 'conv', sx: 3, filters: 32, stride: 1, pad: 1, activation: 'relu' },
    { type: 'pool', sx: 2, stride: 2 },
    { type: 'softmax', num_classes: 10 },
  ],
};

export function step(name, { x, label }) {
  if (layers[name] === undefined) return null;
  const net = new convnetjs.Net();
  net.makeLayers(layers[name]);
  const batch = x.shape[0];
  const trainer = new convnetjs.Trainer(net, { method: 'adam', learning_rate: 1e-3, batch_size: batch });
  const length = x.data.length / batch;
  const side = name === 'cnn' ? 28 : 1;
  const volumes = Array.from({ length: batch }, (_, b) => {
    const v = new convnetjs.Vol(side, side, length / (side * side), 0);
    for (let i = 0; i < length; i++) v.w[i] = x.data[b * length + i];
    return v;
  });
  return {
    run: () => {
      for (let b = 0; b < batch; b++) trainer.train(volumes[b], label.data[b]);
      return null;
    },
  };
}
