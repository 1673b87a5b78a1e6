/** Five networks against PyTorch: results, gradients, losses, and weights after 1 and after 20 steps. See fixtures/README.md. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { distance, network, readTensors, training, type Tensors } from './support/artifact.ts';

interface Case {
  readonly program: string;
  readonly parameters: readonly string[];
  /** Kept but not trained: batch statistics. */
  readonly states: readonly string[];
  readonly losses: readonly number[];
}

const folder = new URL('./fixtures/', import.meta.url);
const { cases, steps } = JSON.parse(readFileSync(new URL('cases.json', folder), 'utf8')) as {
  readonly cases: Readonly<Record<string, Case>>;
  readonly steps: number;
};

const relative = 1e-5;
const absolute = 1e-7;

/** Equal to 1e-5 of the tensor's own scale, and 1e-7. */
function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  const { gap, scale } = distance(actual, expected);
  expect(gap, `${what}: off by ${gap} where numbers reach ${scale}`).toBeLessThanOrEqual(relative * scale + absolute);
}

/** Source and tensors of a case; `part('initial/')` has all tensors whose names begin so, by the rest of their names. */
function read(name: string) {
  const tensors = readTensors(new URL(`${name}.safetensors`, folder));
  const part = (prefix: string): Tensors =>
    new Map([...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, t]) => [key.slice(prefix.length), t]));
  const numbers = (key: string): Float32Array => {
    const data = tensors.get(key)?.data;
    if (!(data instanceof Float32Array)) throw new Error(`${name}.safetensors has no ${key}`);
    return data;
  };
  return { part, numbers, source: readFileSync(new URL(`${name}.nn`, folder), 'utf8') };
}

describe.each(Object.keys(cases))('%s', (name) => {
  const { parameters, states, losses } = cases[name]!;
  const leaves = [...parameters, ...states];
  const { part, numbers, source } = read(name);
  const inputs = part('input/');
  const initial = part('initial/');
  const options = { path: `${name}.nn` };

  it('has numbers that can tell right from wrong', () => {
    for (const path of leaves) {
      for (const [from, to] of [
        ['initial', 'after1'],
        ['after1', 'after20'],
      ]) {
        const { gap, scale } = distance(numbers(`${from}/${path}`), numbers(`${to}/${path}`));
        expect(gap, `${path} from ${from} to ${to}`).toBeGreaterThan(20 * (relative * scale + absolute));
      }
    }
    expect(losses).toHaveLength(steps);
    expect(new Set(losses).size).toBe(steps);
  });

  it('computes the same result', async () => {
    const net = await network(source, 'Net', initial, options);
    expectClose(net.forward(inputs), numbers('forward'), 'result');
  });

  it('has the same gradients', async () => {
    // A step of plain gradient descent with a rate so large that the weight drowns: what is left of it is the gradient.
    const rate = 1024;
    const descent = source.replace(/optimizer .*/, `optimizer SGD(lr: ${rate})`);
    expect(descent).not.toBe(source);
    const fit = await training(descent, 'Fit', initial, options);
    fit.step(inputs);
    const after = fit.weights();
    for (const path of parameters) {
      const before = numbers(`initial/${path}`);
      const gradient = after.get(path)?.map((value, i) => (before[i]! - value) / rate) ?? [];
      expectClose(gradient, numbers(`gradient/${path}`), `gradient of ${path}`);
    }
  });

  it('trains to the same weights', async () => {
    const fit = await training(source, 'Fit', initial, options);
    expect([...fit.weights().keys()].sort()).toEqual(leaves.toSorted());
    const seen: number[] = [];
    for (let step = 1; step <= steps; step++) {
      seen.push(fit.step(inputs));
      if (step !== 1 && step !== steps) continue;
      const weights = fit.weights();
      for (const path of leaves) {
        expectClose(weights.get(path) ?? [], numbers(`after${step}/${path}`), `${path} after ${step}`);
      }
    }
    expectClose(seen, losses, 'losses');
  });
});
