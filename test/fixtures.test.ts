/** Four networks against PyTorch: results, gradients, losses, and weights after 1 and after 20 steps. See fixtures/README.md. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  distance,
  network,
  readTensors,
  training,
  type Inputs,
  type Numbers,
  type Weights,
} from './support/artifact.ts';

interface Case {
  readonly program: string;
  readonly parameters: readonly string[];
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

function read(name: string) {
  const tensors = readTensors(new URL(`${name}.safetensors`, folder));
  const numbers = (key: string): Numbers => {
    const data = tensors.get(key)?.data;
    if (data instanceof Float32Array || data instanceof Int32Array) return data;
    throw new Error(`${name}.safetensors has no ${key}`);
  };
  const part = (prefix: string): [string, Numbers][] =>
    [...tensors.keys()].filter((key) => key.startsWith(prefix)).map((key) => [key.slice(prefix.length), numbers(key)]);
  return {
    numbers,
    source: readFileSync(new URL(`${name}.nn`, folder), 'utf8'),
    inputs: Object.fromEntries(part('input/')) as Inputs,
    initial: new Map(part('initial/')) as Weights,
  };
}

/** The input of the model `Net` among those of its training. */
const seenByModel = ({ image, x }: Inputs): Inputs => (image !== undefined ? { image } : { x: x! });

describe.each(Object.keys(cases))('%s', (name) => {
  const { parameters, losses } = cases[name]!;
  const { numbers, source, inputs, initial } = read(name);

  it('has numbers that can tell right from wrong', () => {
    for (const path of parameters) {
      for (const [a, b] of [
        ['initial', 'after1'],
        ['after1', 'after20'],
      ]) {
        // prettier-ignore
        const { gap, scale } = distance(numbers(`${a}/${path}`), numbers(`${b}/${path}`));
        expect(gap, `${path} from ${a} to ${b}`).toBeGreaterThan(20 * (relative * scale + absolute));
      }
    }
    expect(losses).toHaveLength(steps);
    expect(new Set(losses).size).toBe(steps);
  });

  it('computes the same result', async () => {
    const net = await network(source, 'Net', initial, `${name}.nn`);
    expectClose(await net.forward(seenByModel(inputs)), numbers('forward'), 'result');
  });

  it('has the same gradients', async () => {
    // A step of plain gradient descent with a rate so large that the weight drowns: what is left of it is the gradient.
    const rate = 1024;
    const descent = source.replace(/optimizer .*/, `optimizer SGD(lr: ${rate})`);
    expect(descent).not.toBe(source);
    const fit = await training(descent, 'Fit', initial, `${name}.nn`);
    await fit.step(inputs);
    const after = fit.weights();
    for (const path of parameters) {
      const before = initial.get(path)!;
      const gradient = after.get(path)?.map((value, i) => (before[i]! - value) / rate) ?? [];
      expectClose(gradient, numbers(`gradient/${path}`), `gradient of ${path}`);
    }
  });

  it('trains to the same weights', async () => {
    const fit = await training(source, 'Fit', initial, `${name}.nn`);
    expect([...fit.weights().keys()].sort()).toEqual([...parameters].sort());
    const seen: number[] = [];
    for (let step = 1; step <= steps; step++) {
      seen.push(await fit.step(inputs));
      if (step !== 1 && step !== steps) continue;
      const weights = fit.weights();
      for (const path of parameters) {
        expectClose(weights.get(path) ?? [], numbers(`after${step}/${path}`), `${path} after ${step}`);
      }
    }
    expectClose(seen, losses, 'losses');
  });
});
