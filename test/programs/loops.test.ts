/** Loops that stop, and what lives through them: carries of layers, states, sizes that a caller gives. */
import { describe, expect, it } from 'vitest';
import { agree as agreeing, type AgreeOptions } from '../support/agree.ts';
import { runModel } from '../support/program.ts';

const agree = (text: string, unit: string, sizes: Record<string, number>, options: AgreeOptions = {}): Promise<void> =>
  agreeing(text, unit, sizes, { wasm: true, ...options });

const halving = `
model Halve(x: float[B]) -> (trace: float[B, 8], last: float[B]) {
  let y = x
  scan n in 8 {
    yield trace[b, n] = y[b] else -1
    y = y / 2
    until all(y < 1)
  }
  return (trace: trace, last: y)
}`;

describe('until', () => {
  it('ends a loop after the round that says so; the rest of a yield is its else', () => {
    expect(runModel(halving, { x: [4, 3] })).toEqual({
      trace: [
        [4, 2, 1, -1, -1, -1, -1, -1],
        [3, 1.5, 0.75, -1, -1, -1, -1, -1],
      ],
      last: [0.5, 0.375],
    });
  });
  it('runs as written', async () => {
    await agree(halving, 'Halve', { B: 2 }, { inputs: { x: [4, 3] } });
    await agree(halving, 'Halve', { B: 1 }, { inputs: { x: [0.5] } });
    await agree(halving, 'Halve', { B: 1 }, { inputs: { x: [1e9] } });
  });
  it('ends in an inner loop for that loop alone, and an unnamed yield has a tensor for its else', async () => {
    const text = `
model M(x: float[B, T, 3], rest: float[B, 3]) -> float[B, T, 3] {
  let most = 0.0 * rest
  let y = scan x_t over x along T {
    let z = x_t
    scan n in 6 {
      z = z * 1.5
      until any(abs(z) > 1)
    }
    most = max(most, z)
    yield z else rest
    until any(z > 1.2)
  }
  let out[b, t, d] = y[b, t, d] + most[b, d]
  return out
}`;
    await agree(text, 'M', { B: 2, T: 5 });
  });
  it('has the gradient of the rounds that ran', async () => {
    // y = x w^n for the least n with |y| < 1: dy/dw = n x w^(n - 1).
    const text = `
model Net(x: float[B]) -> float[B] {
  param w: float = 0.5
  let y = x
  scan n in 20 { y = w * y; yield z[n] = sum(y) else 0; until all(abs(y) < 1) }
  return y * (1 + 0 * z[0])
}
train Fit {
  input x: float[B]
  minimize sum(Net(x))
  optimizer SGD(lr: 1)
  batch B = 2
}`.replace('return y * (1 + 0 * z[0])', 'let s = sum(z)\n  return y + 0.001 * s');
    await agree(text, 'Fit', { B: 1 }, { inputs: { x: [12] } });
    await agree(text, 'Fit', { B: 2 }, { inputs: { x: [12, 0.1] } });
  });
});

describe('carries of layers', () => {
  const text = `
block Cell(x: float[B, D]) -> float[B, D] {
  carry total: float[B, D] = 0
  total = total + x
  return total
}
block Outer(x: float[B, D]) -> float[B, D] { return x |> inner: Cell }
model Keep(x: float[B]) -> (kept: float[B, 4], anew: float[B, 4], after: float[B]) {
  let row[b, d: 1] = x[b]
  let cell = Outer()
  let first = cell(row)
  scan n in 4 {
    yield kept[b, n] = cell(row)[b, 0]
    yield anew[b, n] = (first |> Cell)[b, 0]
  }
  let last = cell(row)
  let after[b] = last[b, 0]
  return (kept: kept, anew: anew, after: after)
}
model Late(x: float[B]) -> float[B, 4] {
  let row[b, d: 1] = x[b]
  let cell = Outer()
  scan n in 4 {
    scan m in 2 { yield y[m, b] = cell(row)[b, 0] }
    yield kept[b, n] = y[1, b]
  }
  return kept
}`;
  it('live through a loop where the layer is made outside it, and begin in every round where it is made inside', () => {
    expect(runModel(text, { x: [1, 10] })).toEqual({
      kept: [
        [2, 3, 4, 5],
        [20, 30, 40, 50],
      ],
      anew: [
        [1, 1, 1, 1],
        [10, 10, 10, 10],
      ],
      after: [6, 60],
    });
  });
  it('begin before the outermost loop that the layer was made outside of', () => {
    expect(runModel(text.replace(/model Keep[^}]*}[^}]*}\n/, ''), { x: [1] })).toEqual({ kept: [[2, 4, 6, 8]] });
  });
  it('run as written', async () => {
    await agree(text, 'Keep', { B: 2 });
    await agree(text, 'Late', { B: 3 });
  });
});

describe('states', () => {
  it('that change in a loop are carried through it and saved', async () => {
    const text = `
block Count(x: float[B]) -> float[B] {
  state seen: float = 10
  param scale: float = 2
  if training { seen = seen + 1 }
  return x * seen * scale
}
model Counted(x: float[B]) -> float[B] {
  let count = Count()
  let y = x
  scan n in 3 { y = 0.1 * count(y) }
  return y
}
train Fit {
  input x: float[B]
  minimize sum(Counted(x))
  optimizer SGD(lr: 0.001)
  batch B = 2
}`;
    await agree(text, 'Fit', { B: 2 });
  });
});

describe('a size as a parameter of a model', () => {
  const text = `
model Powers(x: float[B], N: size) -> float[B, N] {
  require N <= 6
  let y[b, n: N] = x[b] ^ n
  return y
}`;
  it('is given at the call', async () => {
    expect(runModel(text, { x: [2] }, { sizes: { N: 4 } })).toEqual({ y: [[1, 2, 4, 8]] });
    await agree(text, 'Powers', { B: 2, N: 3 });
  });
});
