/**
 * Decoding: GPT-2's shape writes token by token behind its cache, with whole weights and with those of 8 and 4 bits; tokens/s as the caller sees them, and by timestamps what the GPU
 * itself takes for a token, of which its matrices as a share of the memory's bandwidth.
 */
import { StampClock } from '../../dist/cli/profile/gpu.js';
import { callsOf, plannedBytes } from '../../dist/cli/profile/measure.js';
import { wgslSchedule } from '../../dist/compiler/schedule/wgsl.js';
import { whole } from '../lib/random.mjs';
import { attempt } from './measure.mjs';
import { dispatches } from './own.mjs';

/** Calls of a text that is written on the GPU. */
const UNDER_WAY = 4;
const STORAGES = { f32: [], int8: ['int8'], int4: ['int4:32'] };
/** Kernels that read more than this are the weights'. */
const MATRIX = 2 ** 18;

const show = (n) => Math.round(n).toLocaleString('en-US');
const middle = (list, of) => list.sort((a, b) => of(a) - of(b))[1];

const likeliest = ({ logits: { data } }) => {
  let best = 0;
  for (let k = 1; k < data.length; k++) if (data[k] > data[best]) best = k;
  return best;
};

/** Milliseconds of the GPU for a token, and for what its products with matrices of parameters take, with the bytes of those. */
async function stamped(net, clock, artifact, { from, tokens, least }) {
  const calls = callsOf(artifact, 'stream');
  const { buffers, leaves } = artifact.plan;
  const isMatrix = (b) => buffers[b].bytes > least && leaves.some((l) => l.buffer === b && l.kind === 'param');
  // Looking up rows of an embedding is not reading it.
  const isProduct = (kernel) =>
    wgslSchedule(kernel, (s) => (s === 'T' ? 1 : from)).passes.some((p) => p.kind === 'skinny');
  const matrices = calls.map(({ step }) =>
    step.buffers.some(isMatrix) && isProduct(artifact.kernels[step.kernel])
      ? plannedBytes(artifact.plan, step.buffers)
      : 0,
  );
  let [all, own] = [0, 0];
  for (let k = 0; k < tokens + 1; k++) {
    clock.on = k > 0;
    await net.stream({ token: new Int32Array(1) }, { S: from + k });
    if (k === 0) continue;
    for (const { label, begin, end } of await clock.stamps()) {
      const call = Number(/^\S+ (\d+):/.exec(label)?.[1] ?? -1);
      const time = end > begin ? Number(end - begin) / 1e6 / tokens : 0;
      all += time;
      if (matrices[call] > 0) own += time;
    }
  }
  clock.on = false;
  return { all, own, bytes: matrices.reduce((n, b) => n + b, 0) };
}

export async function decode({ gpu, load, source, small, computes, bandwidth }) {
  const consts = small ? { vocab: 61, width: 32, heads: 2, layers: 1, context: 64 } : {};
  const [prompt, length] = small ? [8, 16] : [64, 128];
  const bounds = { T: prompt };
  const token = whole(5, prompt, consts.vocab ?? 50257);
  const record = {};
  /** Those that the first row drew: stored ones are given. */
  let weights = null;
  const row = async (storage) => {
    const name = `decode ${storage}${small ? ', small' : ", GPT-2 small's shape"}`;
    const settings = { consts, bounds, weights: STORAGES[storage] };
    const { gpu: GPT2, artifact } = await load(source('examples/design/decode.nn'), 'GPT2', settings);
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    const clock = adapter.features.has('timestamp-query') ? new StampClock('GPT2.stream') : null;
    const given = { seed: 1, ...(weights === null ? {} : { weights }) };
    const net = await GPT2.create({ gpu: clock?.gpu(adapter) ?? gpu, ...given });
    weights ??= await net.weights();
    // The null backend has drawn nothing: what lies there need not be numbers.
    if (!computes) for (const { data } of weights.values()) data.fill(0);
    const write = async () => {
      net.reset();
      const text = [likeliest(await net.stream({ token }, { S: prompt }))];
      const begun = performance.now();
      for (let S = prompt + 1; S <= prompt + length; S++)
        text.push(likeliest(await net.stream({ token: Int32Array.of(text.at(-1)) }, { S })));
      return { time: (performance.now() - begun) / length, text };
    };
    // What the processor needs to hand a token's dispatches over, and what the GPU needs for them.
    const blind = async () => {
      net.reset();
      await net.stream({ token }, { S: prompt });
      const begun = performance.now();
      for (let S = prompt + 1; S <= prompt + length; S++)
        net.machine.submit('stream', { token: new Int32Array(1) }, { S }, []);
      const handed = performance.now();
      await net.finished();
      return { all: (performance.now() - begun) / length, handed: (handed - begun) / length };
    };
    await write();
    await blind();
    const read = middle([await write(), await write(), await write()], (w) => w.time);
    const unread = middle([await blind(), await blind(), await blind()], (w) => w.all);
    const count = dispatches(net, 'stream');
    const asked = { from: prompt + 1, tokens: small ? 1 : 20, least: small ? 0 : MATRIX };
    const device = clock === null ? null : await stamped(net, clock, artifact, asked);
    net.close();
    console.log(
      `${name}: ${show(1000 / read.time)} tokens/s behind ${prompt} to ${prompt + length} cached ones, logits read each time; ${count} dispatches a token`,
    );
    console.log(
      `${name}: ${show(1000 / unread.all)} tokens/s with nothing read; ${(unread.handed * 1000).toFixed(0)} µs of the processor's time a token (${((unread.handed * 1000) / count).toFixed(1)} µs a dispatch)`,
    );
    // The token stays on the GPU: calls follow each other, and tokens are read as they come.
    const { gpu: Writer } = await load(source('bench/gpu/writer.nn'), 'Writer', settings);
    const writer = await Writer.create({ gpu, ...given, weights });
    const flow = async () => {
      writer.reset();
      const { next } = await writer.stream({ token, given: Uint8Array.of(1) }, { S: prompt });
      const text = [next.data[0]];
      const waiting = [];
      const begun = performance.now();
      for (let S = prompt + 1; S <= prompt + length; S++) {
        waiting.push(writer.stream({ token: new Int32Array(1), given: new Uint8Array(1) }, { S }));
        if (waiting.length >= UNDER_WAY) text.push((await waiting.shift()).next.data[0]);
      }
      for (const each of waiting) text.push((await each).next.data[0]);
      return { time: (performance.now() - begun) / length, text };
    };
    await flow();
    const flown = middle([await flow(), await flow(), await flow()], (w) => w.time);
    writer.close();
    // The null backend computes nothing: what it gives are the bytes that were there.
    const same = !computes || read.text.every((t, k) => t === flown.text[k]);
    if (!same) process.exitCode = 1;
    console.log(
      `${name}: ${show(1000 / flown.time)} tokens/s where the token stays on the GPU, ${UNDER_WAY} calls under way; the same text${same ? '' : ': WRONG'}`,
    );
    record[storage] = {
      milliseconds: read.time,
      unread: unread.all,
      handed: unread.handed,
      flowing: flown.time,
      dispatches: count,
    };
    if (device === null) return;
    const { all, own, bytes } = device;
    const rate = own > 0 ? bytes / own / 1e6 : 0;
    const share = bandwidth > 0 ? `, ${((100 * rate) / bandwidth).toFixed(0)} % of the memory's` : '';
    console.log(
      `${name}: ${(1000 * all).toFixed(0)} µs of the GPU's time a token, ${(1000 * own).toFixed(0)} of them for ${(bytes / 1e6).toFixed(1)} MB of matrices: ${rate.toFixed(0)} GB/s${share}`,
    );
    Object.assign(record[storage], { device: all, matrices: own, bytes });
  };
  for (const storage of Object.keys(STORAGES)) await attempt(`decode ${storage}`, () => row(storage));
  console.log('  (no peer here keeps keys and values from call to call)');
  return record;
}
