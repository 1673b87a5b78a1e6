/**
 * Threads of a WebAssembly module: worker_threads in Node, workers in a page that is isolated across origins; elsewhere there are none, and one
 * thread does everything. Workers start by themselves and report in the shared memory; a call takes along those that have, so that nothing waits
 * for a start. Results are the same bits, whatever their number.
 */
import { NncError } from './errors.ts';

/** What workers are given: compiled programs, register tiles if any, the memory. */
export interface Shared {
  readonly p: unknown;
  readonly t: unknown;
  readonly m: unknown;
}

interface WorkerLike {
  postMessage(message: Shared): void;
  terminate(): unknown;
  unref?(): void;
  on?(event: 'error', listener: () => void): void;
}

interface Surroundings {
  readonly process?: { getBuiltinModule?(name: string): unknown };
  readonly navigator?: { readonly hardwareConcurrency?: number };
  readonly crossOriginIsolated?: boolean;
  readonly Worker?: new (address: string) => WorkerLike;
  readonly Blob: new (parts: string[], options: { type: string }) => unknown;
  readonly URL: { createObjectURL(blob: unknown): string; revokeObjectURL(address: string): void };
}

const around = globalThis as unknown as Surroundings;

/** What a worker does with what it is given. Function imports are missing where a module has no products: anything will do. */
const WORK = `({ p, t, m }) => {
  const e = { m };
  for (const i of WebAssembly.Module.imports(p)) if (i.kind === 'function') e[i.name] = () => undefined;
  if (t) Object.assign(e, new WebAssembly.Instance(t, { e: { m } }).exports);
  new WebAssembly.Instance(p, { e }).exports.work();
}`;

interface NodeWorkers {
  readonly Worker: new (text: string, options: { eval: true; workerData: Shared }) => WorkerLike;
}

const nodeWorkers = (): NodeWorkers | undefined =>
  around.process?.getBuiltinModule?.('node:worker_threads') as NodeWorkers | undefined;

/** How many threads there will be, this one included: 1 where memory cannot be shared. */
export function threadsFor(wanted: number | 'auto'): number {
  if (wanted !== 'auto' && (!Number.isInteger(wanted) || wanted < 1 || wanted > 64)) {
    throw new NncError('NN537', 'threads', [`threads must be 'auto' or a whole number from 1 to 64, not ${wanted}.`]);
  }
  const possible = nodeWorkers() !== undefined || (around.crossOriginIsolated === true && around.Worker !== undefined);
  if (!possible) return 1;
  if (wanted !== 'auto') return wanted;
  const os = around.process?.getBuiltinModule?.('node:os') as { availableParallelism(): number } | undefined;
  return Math.min(8, os?.availableParallelism() ?? around.navigator?.hardwareConcurrency ?? 1);
}

/** Whether this thread may sleep: a page's main thread may not. */
export function mayWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}

function startWorker(shared: Shared): WorkerLike {
  const node = nodeWorkers();
  if (node !== undefined) {
    const text = `(${WORK})(require("node:worker_threads").workerData)`;
    const worker = new node.Worker(text, { eval: true, workerData: shared });
    // One that cannot start is missed by nobody; and none keeps the process alive.
    worker.on?.('error', () => undefined);
    worker.unref?.();
    return worker;
  }
  const text = `const work = ${WORK}; onmessage = ({ data }) => work(data);`;
  const address = around.URL.createObjectURL(new around.Blob([text], { type: 'text/javascript' }));
  const worker = new around.Worker!(address);
  worker.postMessage(shared);
  return worker;
}

/** When nobody can reach an instance any more, its workers need not wait for it. */
const abandoned = new FinalizationRegistry<() => void>((close) => close());

/** Starts `count` workers for `owner`; the result ends them. `call` and `ready` are the words of that meaning (targets/wasm/threads.ts). */
export function startThreads(
  owner: object,
  count: number,
  shared: Shared,
  words: { readonly call: Int32Array; readonly ready: Int32Array },
): () => void {
  let workers = Array.from({ length: count }, () => startWorker(shared));
  const close = (): void => {
    if (workers.length === 0) return;
    Atomics.store(words.ready, 0, 0);
    // A team of none.
    Atomics.store(words.call, 0, (Atomics.load(words.call, 0) & -256) + 256);
    Atomics.notify(words.call, 0);
    for (const worker of workers) worker.terminate();
    workers = [];
  };
  abandoned.register(owner, close);
  return close;
}
