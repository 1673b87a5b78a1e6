/**
 * Compiles the program, trains it and predicts, on whichever target is wanted; in a worker or in the page, which it cannot tell apart. A change of the target takes
 * everything along as a checkpoint; so does a new device after a lost one.
 *
 * Not here: anything to look at.
 */
import { compile } from '../../compiler/index.ts';
import { renderTerminal } from '../../compiler/diagnostics/terminal.ts';
import { permutation } from '../../runtime/random.ts';
import { loadDigits, type Digits } from './data.ts';
import type { Command, Point, Report, Target } from './messages.ts';

type Figures = Readonly<Record<string, number>>;

/** The emitted class, as far as it is used here; emitted declarations say more. */
interface Net {
  readonly target: Target;
  readonly steps: number;
  step(inputs: object): Promise<Figures>;
  enqueue(inputs: object): void;
  evaluate(inputs: object): Promise<Figures>;
  /** Where a rate follows the loss on rows that are not trained on (`plateau`). */
  validated?(loss: number): void;
  forward(inputs: object): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>;
  checkpoint(): Promise<{ readonly step: number }>;
  restore(checkpoint: unknown): void;
  recover(checkpoint: unknown): Promise<void>;
  close(): void;
}

interface NetClass {
  create(options: object): Promise<Net>;
}

interface Device {
  destroy(): void;
}

interface Adapter {
  readonly limits: object;
  readonly features: object;
  readonly info: object;
  requestDevice(options: object): Promise<Device>;
}

interface Gpu {
  requestAdapter(options?: object): Promise<Adapter | null>;
}

const BATCH = 64;
/** Every so many steps the loss is read back. */
const READ_EVERY = 4;
const SEED = 1;

/** What `threads: 'auto'` comes to: memory can only be shared in a page that is isolated from other origins. */
const CORES = globalThis.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;

const isLost = (error: unknown): boolean => error instanceof Error && (error as { code?: string }).code === 'NN542';
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class Engine {
  private readonly report: (report: Report) => void;
  private readonly data: Promise<readonly [training: Digits, test: Digits]>;
  private type: NetClass | null = null;
  private net: Net | null = null;
  private device: Device | null = null;
  private running = false;
  /** A round is waiting or under way. */
  private looping = false;
  private slow = true;
  private many = true;
  private saved: unknown = null;
  private image: Float32Array | null = null;
  /** Commands and rounds of training one after the other. */
  private queue: Promise<void> = Promise.resolve();

  constructor(report: (report: Report) => void) {
    this.report = report;
    this.data = Promise.all([
      loadDigits(new URL('../data/digits-train.csv.gz', import.meta.url)),
      loadDigits(new URL('../data/digits-test.csv.gz', import.meta.url)),
    ]);
  }

  handle(command: Command): void {
    // These take effect at once, in the middle of a round.
    if (command.kind === 'run') this.running = command.running;
    if (command.kind === 'pace') this.slow = command.slow;
    this.after(() => this.obey(command));
  }

  private after(work: () => Promise<void>): void {
    this.queue = this.queue.then(work).catch((error: unknown) => this.mishap(error));
  }

  /** A lost device is replaced; anything else is told. */
  private async mishap(error: unknown): Promise<void> {
    if (isLost(error) && this.net !== null && this.saved !== null) {
      const before = this.net.steps;
      try {
        await this.net.recover(this.saved);
        const where = this.net.target === 'wgsl' ? 'another one' : this.net.target;
        this.report({
          kind: 'note',
          text: `The GPU was lost at step ${before}; ${where} goes on from the checkpoint of step ${this.net.steps}.`,
        });
        await this.arrived('');
        if (this.looping) this.after(() => this.round());
        return;
      } catch (next) {
        this.report({ kind: 'note', text: textOf(next) });
      }
    } else this.report({ kind: 'note', text: textOf(error) });
    this.running = false;
    this.looping = false;
    this.state();
  }

  private state(): void {
    this.report({ kind: 'state', running: this.running, step: this.net?.steps ?? 0 });
  }

  private async obey(command: Command): Promise<void> {
    switch (command.kind) {
      case 'program':
        await this.compile(command.source, command.target);
        break;
      case 'target':
        await this.move(command.target);
        break;
      case 'again':
        if (this.type !== null) await this.create(this.net?.target ?? null, null);
        break;
      case 'run':
        this.state();
        if (this.running && !this.looping) {
          this.looping = true;
          this.after(() => this.round());
        }
        break;
      case 'predict':
        this.image = command.image;
        await this.predict();
        break;
      case 'lose':
        if (this.net?.target === 'wgsl') this.device?.destroy();
        break;
      case 'threads':
        this.many = command.many;
        if (this.net?.target === 'wasm') await this.create('wasm', await this.net.checkpoint());
        break;
      case 'pace':
        break;
    }
  }

  // ------------------------------------------------------------------------------------------------------------------------------- programs

  private async compile(source: string, target: Target | null): Promise<void> {
    const begun = performance.now();
    const result = compile(source, { path: 'digits.nn', only: 'Fit', targets: ['auto'] });
    const artifact = result.artifacts.get('Fit');
    const module = artifact?.modules.get('auto');
    const fits = artifact?.plan.inputs.map((i) => i.name).join() === 'image,label';
    let text = renderTerminal(result.reports, result.sources, { color: false, width: 74 }).trim();
    if (result.ok && !fits) text = 'This page trains a `train Fit` with the inputs image and label.';
    this.report({
      kind: 'compiled',
      ok: result.ok && fits,
      text,
      milliseconds: performance.now() - begun,
      kernels: artifact?.kernels.length ?? 0,
      parameters: parameterCount(artifact?.plan),
    });
    if (module === undefined || !fits) return;
    const url = URL.createObjectURL(new Blob([module.javascript], { type: 'text/javascript' }));
    try {
      this.type = ((await import(/* @vite-ignore */ url)) as { Fit: NetClass }).Fit;
    } finally {
      URL.revokeObjectURL(url);
    }
    await this.create(target, null);
  }

  private async create(target: Target | null, checkpoint: unknown): Promise<void> {
    const before = this.net;
    const targets = target === null ? {} : { targets: [target] };
    const net = await this.type!.create({ seed: SEED, gpu: this.gpu(), threads: this.many ? 'auto' : 1, ...targets });
    before?.close();
    this.net = net;
    if (checkpoint !== null) net.restore(checkpoint);
    this.saved = await net.checkpoint();
    const { tried = [] } = net as { tried?: readonly { readonly reason: string }[] };
    await this.arrived(tried.map((t) => t.reason).join(' '));
  }

  private async arrived(reason: string): Promise<void> {
    const available: Target[] = ['wasm', 'ts'];
    if ((await this.gpu()?.requestAdapter()) != null) available.unshift('wgsl');
    const { target } = this.net!;
    this.report({ kind: 'ready', target, available, reason, threads: target === 'wasm' && this.many ? CORES : 1 });
    this.state();
    await this.test();
    await this.predict();
  }

  private async move(target: Target): Promise<void> {
    if (this.net === null || this.net.target === target) return;
    const checkpoint = await this.net.checkpoint();
    await this.create(target, checkpoint);
  }

  /** The browser's WebGPU, with the device remembered so that it can be lost. */
  private gpu(): Gpu | undefined {
    const { gpu } = (globalThis as unknown as { readonly navigator: { readonly gpu?: Gpu } }).navigator;
    if (gpu === undefined) return undefined;
    return {
      requestAdapter: async (options) => {
        const adapter = await gpu.requestAdapter(options);
        if (adapter === null) return null;
        const requestDevice = async (wanted: object): Promise<Device> =>
          (this.device = await adapter.requestDevice(wanted));
        const { limits, features, info } = adapter;
        return { limits, features, info, requestDevice };
      },
    };
  }

  // ------------------------------------------------------------------------------------------------------------------------------- training

  /** Some steps, then whatever else waits. */
  private async round(): Promise<void> {
    const { net } = this;
    if (net === null || !this.running) {
      this.looping = false;
      return;
    }
    const [training] = await this.data;
    const batches = Math.floor(training.count / BATCH);
    const begun = performance.now();
    const points: Point[] = [];
    let count = 0;
    do {
      const epoch = Math.floor(net.steps / batches);
      const inputs = batchOf(training, permutation(training.count, SEED, epoch), (net.steps % batches) * BATCH);
      if (net.steps % READ_EVERY === 0) {
        const { loss } = await net.step(inputs);
        points.push({ step: net.steps, loss: loss! });
      } else net.enqueue(inputs);
      count++;
      if (net.steps % batches === 0) {
        const loss = await this.test();
        net.validated?.(loss);
        this.saved = await net.checkpoint();
      }
    } while (this.running && (this.slow ? count < 2 : performance.now() - begun < 60));
    const epoch = Math.floor(net.steps / batches);
    await this.predict();
    const rest = this.slow ? 16 - (performance.now() - begun) : 0;
    this.report({ kind: 'progress', epoch, points, perSecond: (count * 1000) / (performance.now() - begun) });
    this.state();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, rest)));
    this.after(() => this.round());
  }

  /** The loss on the rows that are not trained on. */
  private async test(): Promise<number> {
    const { net } = this;
    if (net === null) return NaN;
    const [, test] = await this.data;
    const order = Uint32Array.from({ length: test.count }, (_, k) => k);
    const sums = { accuracy: 0, loss: 0 };
    for (let from = 0; from < test.count; from += BATCH) {
      const to = Math.min(test.count, from + BATCH);
      const found = await net.evaluate(batchOf(test, order, from, to));
      sums.accuracy += (found['accuracy'] ?? 0) * (to - from);
      sums.loss += (found['loss'] ?? 0) * (to - from);
    }
    const { accuracy, loss } = sums;
    this.report({ kind: 'tested', step: net.steps, accuracy: accuracy / test.count, loss: loss / test.count });
    return loss / test.count;
  }

  private async predict(): Promise<void> {
    if (this.net === null || this.image === null) return;
    const [logits] = Object.values(await this.net.forward({ image: this.image }));
    const greatest = Math.max(...logits!.data);
    const powers = Array.from(logits!.data, (v) => Math.exp(v - greatest));
    const sum = powers.reduce((a, b) => a + b, 0);
    this.report({ kind: 'prediction', probabilities: powers.map((p) => p / sum) });
  }
}

function batchOf(
  { image, label, count }: Digits,
  order: Uint32Array,
  from: number,
  to = Math.min(count, from + BATCH),
): { image: Float32Array; label: Int32Array } {
  const rows = order.subarray(from, to);
  const batch = { image: new Float32Array(rows.length * 64), label: new Int32Array(rows.length) };
  rows.forEach((row, k) => {
    batch.image.set(image.subarray(row * 64, row * 64 + 64), k * 64);
    batch.label[k] = label[row]!;
  });
  return batch;
}

type Plan = NonNullable<ReturnType<ReturnType<typeof compile>['artifacts']['get']>>['plan'];

const parameterCount = (plan: Plan | undefined): number =>
  (plan?.leaves ?? [])
    .filter((leaf) => leaf.kind === 'param')
    .reduce((n, leaf) => n + leaf.shape.reduce<number>((m, e) => m * (typeof e === 'number' ? e : 1), 1), 0);
