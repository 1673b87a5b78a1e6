/** The peer: TensorFlow.js 4.22.0 with its plain JavaScript backend `cpu`, written as its own documentation does (NHWC, `minimize`). */
import * as tf from '@tensorflow/tfjs';

export const name = 'tfjs cpu';
export const version = tf.version.tfjs;

export async function ready() {
  tf.enableProdMode();
  await tf.setBackend('cpu');
}

/** conv [out, in, y, x] → [y, x, in, out]; dense [out, in] → [in, out]. */
function converted(workload, path) {
  const { shape, data } = workload.weights.get(path);
  const tensor = tf.tensor(data, shape, 'float32');
  if (path.endsWith('.bias')) return tensor;
  if (shape.length === 4) return tensor.transpose([2, 3, 1, 0]);
  // After two poolings the features are [16, 5, 5] in nnc and [5, 5, 16] here.
  if (workload.name === 'mnist') return tensor.reshape([10, 16, 5, 5]).transpose([2, 3, 1, 0]).reshape([400, 10]);
  return tensor.transpose();
}

const forward = {
  digits: (w, image) => image.reshape([-1, 64]).div(16).matMul(w('hidden.weight')).add(w('hidden.bias')).relu().matMul(w('out.weight')).add(w('out.bias')), // prettier-ignore
  mnist: (w, image) => {
    const convolve = (x, path) =>
      x
        .conv2d(w(`${path}.weight`), 1, 'valid')
        .add(w(`${path}.bias`))
        .relu()
        .maxPool(2, 2, 'valid');
    const x = convolve(convolve(image.expandDims(-1).div(255), 'conv1'), 'conv2');
    return x.reshape([-1, 400]).matMul(w('out.weight')).add(w('out.bias'));
  },
};

/** A function that takes one step on the workload's batch and returns the loss before it. */
export async function prepare(workload) {
  const variables = new Map();
  for (const path of workload.weights.keys())
    variables.set(
      path,
      tf.tidy(() => tf.variable(converted(workload, path))),
    );
  const { image, label } = workload.inputs;
  const x = tf.tensor(image.data, image.shape, 'float32');
  const y = tf.tidy(() => tf.oneHot(tf.tensor1d(label.data, 'int32'), 10).toFloat());
  const optimizer = tf.train.adam(workload.rate, 0.9, 0.999, 1e-8);
  const loss = () =>
    tf.losses.softmaxCrossEntropy(
      y,
      forward[workload.name]((path) => variables.get(path), x),
    );
  return () => {
    const value = optimizer.minimize(loss, true);
    const number = value.dataSync()[0];
    value.dispose();
    return number;
  };
}
