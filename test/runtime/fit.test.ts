/** The training loop: order, weights of metrics, patience, abort, and that going on equals never having stopped. */
import { describe, expect, it } from 'vitest';
import {
  evaluateAll,
  fit,
  rowsOf,
  split,
  type Columns,
  type EventualTrainable,
  type FitState,
  type Trainable,
} from '../../runtime/fit.ts';
import { decodeCheckpoint, decodeWeights, encodeCheckpoint, encodeWeights } from '../../runtime/files.ts';
import { NncError } from '../../runtime/errors.ts';
import type { WeightTensor } from '../../runtime/weights.ts';
import { emitted, imported, leastSquares } from '../targets/ts/units.ts';

async function unit(seed = 1): Promise<Trainable> {
  const { Fit } = (await imported(emitted(leastSquares(), false).code)) as { Fit: { create(o: object): Trainable } };
  return Fit.create({ seed });
}

function columns(rows: number): Columns {
  const x = Float32Array.from({ length: rows * 3 }, (_, i) => Math.sin(i * 1.3 + i * i));
  const y = Float32Array.from({ length: rows }, (_, b) => x[3 * b]! - 2 * x[3 * b + 1]! + 0.1 * Math.sin(b));
  return { x: { data: x, shape: [3] }, y: { data: y, shape: [] } };
}

/** Records what it is given; validation losses as told. */
class Recorder implements Trainable {
  readonly batches: number[][] = [];
  losses: number[] = [];
  private epoch = 0;
  private steps = 0;
  private w = 0;
  step({ id }: Readonly<Record<string, Float32Array | Int32Array | Uint8Array>>) {
    this.batches.push([...id!]);
    this.steps++;
    this.w++;
    return { loss: id!.length, odd: id!.length % 2 === 1, tensor: { shape: [1], data: id! } };
  }
  evaluate() {
    return { loss: this.losses[this.epoch++]! };
  }
  weights() {
    return new Map<string, WeightTensor>([['w', { dtype: 'f32', shape: [], data: Float32Array.of(this.w) }]]);
  }
  load(weights: ReadonlyMap<string, WeightTensor>) {
    this.w = weights.get('w')!.data[0]!;
  }
  checkpoint() {
    return { unit: 'Recorder', seed: 0, step: this.steps, tensors: this.weights() };
  }
  restore() {
    throw new Error('not used');
  }
}

const ids = (n: number): Columns => ({ id: { data: Int32Array.from({ length: n }, (_, i) => i), shape: [] } });

describe('fit', () => {
  it('takes every row once an epoch, in an order of seed and epoch, with a smaller last batch', async () => {
    const r = new Recorder();
    await fit(r, ids(10), { epochs: 2, batch: 4, seed: 3 });
    expect(r.batches.map((b) => b.length)).toEqual([4, 4, 2, 4, 4, 2]);
    const epochs = [r.batches.slice(0, 3).flat(), r.batches.slice(3).flat()];
    for (const e of epochs) expect([...e].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(epochs[0]).not.toEqual(epochs[1]);
    const again = new Recorder();
    await fit(again, ids(10), { epochs: 2, batch: 4, seed: 3 });
    expect(again.batches).toEqual(r.batches);
    const plain = new Recorder();
    await fit(plain, ids(5), { epochs: 1, batch: 2, shuffle: false });
    expect(plain.batches).toEqual([[0, 1], [2, 3], [4]]);
  });

  it('weights metrics by rows', async () => {
    const { history } = await fit(new Recorder(), ids(10), { epochs: 1, batch: 4 });
    // loss is the batch's length: (4·4 + 4·4 + 2·2) / 10; tensors are no metrics
    expect(history).toEqual([{ epoch: 0, training: { loss: 3.6, odd: 0 }, validation: null, best: false }]);
  });

  it('stops after `patience` epochs without a better loss and keeps the best weights', async () => {
    const r = new Recorder();
    r.losses = [3, 2, 2.5, 2, 1];
    const { reason, history } = await fit(r, ids(4), { epochs: 5, batch: 2, patience: 2, validation: ids(2) });
    expect(reason).toBe('patience');
    expect(history.map((e) => e.best)).toEqual([true, true, false, false]);
    // Two steps an epoch: after the second epoch w was 4.
    expect(r.weights().get('w')!.data[0]).toBe(4);
  });

  it.each([1, 3, 5, 8])('goes on after an abort before step %i as if there had been none', async (stop) => {
    const data = columns(22);
    const validation = columns(5);
    const options = { epochs: 3, batch: 8, seed: 7, validation };
    const straight = await unit();
    const whole = await fit(straight, data, options);
    expect(whole.reason).toBe('finished');

    const first = await unit();
    const signal = { aborted: false };
    const part = await fit(first, data, {
      ...options,
      signal,
      onBatch: ({ step }) => {
        signal.aborted = step === stop;
      },
    });
    expect(part.reason).toBe('aborted');
    const second = await unit(99);
    const rest = await fit(second, data, { ...options, resume: part.state });
    expect(rest.history).toEqual(whole.history);
    const comparable = (s: FitState): unknown => ({ ...s, checkpoint: [...s.checkpoint.tensors] });
    expect(comparable(rest.state)).toEqual(comparable(whole.state));
    expect(second.weights()).toEqual(straight.weights());
  });

  /** What answers by promises, and is lost before the calls numbered here. */
  function losable(inner: Trainable, lostAt: readonly number[]): EventualTrainable & { recovered: number } {
    let calls = 0;
    let lost = false;
    const guarded = <T>(work: () => T): Promise<T> => {
      lost ||= lostAt.includes(calls++);
      const error = new NncError('NN542', null, ['The GPU device was lost.']);
      return lost ? Promise.reject(error) : Promise.resolve().then(work);
    };
    return {
      recovered: 0,
      step: (inputs) => guarded(() => ({ ...inner.step(inputs) })),
      evaluate: (inputs) => guarded(() => ({ ...inner.evaluate!(inputs) })),
      weights: () => guarded(() => inner.weights()),
      load: (weights) => inner.load(weights),
      checkpoint: () => guarded(() => inner.checkpoint()),
      restore: (checkpoint) => inner.restore(checkpoint),
      recover(checkpoint) {
        lost = false;
        this.recovered++;
        inner.restore(checkpoint);
        return Promise.resolve();
      },
    };
  }

  it('goes on after a lost device as if nothing had been', async () => {
    const data = columns(40);
    const options = { epochs: 4, batch: 8, seed: 7, validation: columns(16), keepEvery: 2 };
    const straight = await unit();
    const whole = await fit(straight, data, options);
    // In a step, in an evaluation, while weights are taken.
    for (const lostAt of [[4], [9], [12, 30], [15, 16]]) {
      const inner = await unit();
      const unlucky = losable(inner, lostAt);
      const told: number[] = [];
      const result = await fit(unlucky, data, { ...options, onRecover: (s) => void told.push(s.checkpoint.step) });
      expect(unlucky.recovered).toBe(told.length);
      expect(told.length).toBeGreaterThan(0);
      expect(result.history).toEqual(whole.history);
      expect(inner.weights()).toEqual(straight.weights());
    }
  });

  it('gives up when the device is lost again and again, or is not one that can be replaced', async () => {
    const always = losable(
      await unit(),
      Array.from({ length: 50 }, (_, i) => i + 3),
    );
    await expect(fit(always, columns(40), { epochs: 2, batch: 8 })).rejects.toThrow('NN542');
    expect(always.recovered).toBe(3);
    const { recover: _none, ...plain } = losable(await unit(), [3]);
    await expect(fit(plain, columns(40), { epochs: 2, batch: 8 })).rejects.toThrow('NN542');
  });

  it('learns, and reports what evaluate says', async () => {
    const u = await unit();
    const data = columns(64);
    const reports: number[] = [];
    const { history } = await fit(u, data, {
      epochs: 60,
      batch: 16,
      validation: data,
      onEpoch: async (e) => {
        await Promise.resolve();
        reports.push(e.validation!['loss']!);
      },
    });
    expect(reports).toEqual(history.map((e) => e.validation!['loss']));
    expect(Math.min(...reports)).toBeLessThan(reports[0]! / 10);
    expect(evaluateAll(u, data, 16)!['loss']).toBe(Math.min(...reports));
  });

  it('refuses columns of different lengths, and options that make no sense', async () => {
    const bad = { ...columns(4), y: columns(3)['y']! };
    expect(() => rowsOf(bad)).toThrow('y has 3 rows, x has 4.');
    expect(() => rowsOf({ x: { data: new Float32Array(7), shape: [3] } })).toThrow(NncError);
    expect(() => rowsOf({})).toThrow(NncError);
    await expect(fit(new Recorder(), ids(3), { batch: 0 })).rejects.toThrow('The batch must be');
  });

  it('splits rows into two parts', () => {
    const { training, validation } = split(ids(10), 0.2, 5);
    const all = [...training['id']!.data, ...validation['id']!.data];
    expect(validation['id']!.data.length).toBe(2);
    expect(all.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(() => split(ids(1), 0.5, 0)).toThrow('leaves none');
  });
});

describe('files', () => {
  it('bring back weights and checkpoints', async () => {
    const u = await unit();
    await fit(u, columns(8), { epochs: 2, batch: 4 });
    const decoded = decodeCheckpoint(encodeCheckpoint(u.checkpoint()));
    if (!decoded.ok || decoded.checkpoint === null) throw new Error('not a checkpoint');
    const { tensors, ...rest } = decoded.checkpoint;
    const original = u.checkpoint();
    expect(rest).toEqual({ unit: 'Fit', seed: 1, step: 4 });
    expect(new Map([...tensors].sort())).toEqual(new Map([...original.tensors].sort()));
    const fresh = await unit(2);
    fresh.restore(decoded.checkpoint);
    expect(fresh.weights()).toEqual(u.weights());
    expect(decodeCheckpoint(encodeWeights(u.weights()))).toEqual({ ok: true, checkpoint: null });
  });
  it('keep every dtype', () => {
    const weights = new Map<string, WeightTensor>([
      ['a', { dtype: 'f16', shape: [2], data: Float32Array.of(0.5, 65504) }],
      ['b', { dtype: 'i32', shape: [], data: Int32Array.of(-7) }],
      ['c', { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) }],
    ]);
    const back = decodeWeights(encodeWeights(weights));
    expect(back.ok && new Map([...back.weights].sort())).toEqual(weights);
  });
});
