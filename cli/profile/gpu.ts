/**
 * The profile of a GPU program: timestamps of the device around every dispatch, put there from outside. The module is the one that users get; the device that it is given records each dispatch
 * in a pass of its own, since that is where WebGPU can take timestamps.
 *
 * Not here: what a browser does to timestamps for safety (it rounds them, to 100 µs say); a profile says so when it sees it.
 */
import type { Artifact } from '../../compiler/index.ts';
import type { GpuBuffer, GpuDevice, GpuEncoder, GpuHandle, GpuLike, GpuPass } from '../../runtime/webgpu/api.ts';
import { awaited, emittedClass, type EventualInstance, type Inputs, type Sizes } from '../artifact.ts';
import { refuse } from '../problems.ts';
import { gpuRoofs, type StampDevice, type StampEncoder } from './gpu-roofs.ts';
import type { Machine } from './machine.ts';
import {
  callsOf,
  costOf,
  median,
  plannedBytes,
  type Profile,
  type ProgramChoice,
  type StepProfile,
} from './measure.ts';

interface StampAdapter {
  readonly features: { has(name: string): boolean };
  readonly info?: { readonly vendor: string; readonly device: string; readonly description: string };
  readonly limits: Record<string, number>;
  requestDevice(options: object): Promise<StampDevice>;
}

/** Queries of a set. */
const MOST = 4096;
// WebGPU's numbers.
const RESOLVE = 512 | 4;
const READ = 1 | 8;

interface QuerySet {
  readonly set: GpuHandle;
  readonly resolved: GpuBuffer;
  readonly staging: GpuBuffer;
}

/** Begin and end of a dispatch in nanoseconds, with the label of what it was bound to. */
export interface Stamp {
  readonly label: string;
  readonly begin: bigint;
  readonly end: bigint;
}

/** A device whose command buffers with one label are stamped, once `on`. */
export class StampClock {
  private device: StampDevice | null = null;
  private readonly watched: string;
  private readonly sets: QuerySet[] = [];
  private labels: string[] = [];
  /** Not all implementations give labels back. */
  private readonly named = new WeakMap<GpuHandle, string>();
  on = false;

  constructor(watched: string) {
    this.watched = watched;
  }

  /** What the unit is given as its GPU. */
  gpu(adapter: StampAdapter): GpuLike {
    const requestDevice = async (options: object): Promise<GpuDevice> => {
      this.device = await adapter.requestDevice({
        ...options,
        requiredFeatures: ['timestamp-query', ...featuresOf(options)],
      });
      return this.wrapped(this.device);
    };
    const own = new Proxy(adapter, {
      get: (target, key) => {
        if (key === 'requestDevice') return requestDevice;
        return Reflect.get(target, key, target) as unknown;
      },
    });
    return { requestAdapter: () => Promise.resolve(own as never) };
  }

  opened(): StampDevice {
    return this.device!;
  }

  private wrapped(device: StampDevice): GpuDevice {
    return new Proxy<GpuDevice>(device, {
      get: (target, key) => {
        if (key === 'createCommandEncoder')
          return (options: { label?: string }) => {
            const encoder = device.createCommandEncoder(options) as StampEncoder;
            return this.on && options.label === this.watched ? this.stamped(encoder) : encoder;
          };
        if (key === 'createBindGroup')
          return (options: Parameters<GpuDevice['createBindGroup']>[0]) => {
            const group = device.createBindGroup(options);
            this.named.set(group, options.label ?? '');
            return group;
          };
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value as (...a: unknown[]) => unknown).bind(target) : value;
      },
      set: (target, key, value) => Reflect.set(target, key, value, target),
    });
  }

  private stamped(encoder: StampEncoder): GpuEncoder {
    const pass = (): GpuPass => {
      let pipeline: GpuHandle;
      let group: GpuHandle;
      let offsets: readonly number[] | undefined;
      const dispatch = (run: (own: GpuPass) => void): void => {
        const k = this.labels.length * 2;
        const { set } = this.setOf(k);
        const timestampWrites = {
          querySet: set,
          beginningOfPassWriteIndex: k % MOST,
          endOfPassWriteIndex: (k % MOST) + 1,
        };
        this.labels.push(this.named.get(group) ?? '');
        const own = encoder.beginComputePass({ timestampWrites });
        own.setPipeline(pipeline);
        own.setBindGroup(0, group, offsets);
        run(own);
        own.end();
      };
      return {
        setPipeline: (p) => (pipeline = p),
        setBindGroup: (_index, g, o) => ([group, offsets] = [g, o]),
        dispatchWorkgroups: (x, y) => dispatch((own) => own.dispatchWorkgroups(x, y)),
        dispatchWorkgroupsIndirect: (b, offset) => dispatch((own) => own.dispatchWorkgroupsIndirect(b, offset)),
        end: () => undefined,
      };
    };
    return {
      beginComputePass: pass,
      copyBufferToBuffer: (...a) => encoder.copyBufferToBuffer(...a),
      finish: () => {
        for (const [i, { set, resolved, staging }] of this.sets.entries()) {
          const count = Math.min(MOST, this.labels.length * 2 - i * MOST);
          if (count <= 0) break;
          encoder.resolveQuerySet(set, 0, count, resolved, 0);
          encoder.copyBufferToBuffer(resolved, 0, staging, 0, count * 8);
        }
        return encoder.finish();
      },
    };
  }

  private setOf(query: number): QuerySet {
    const k = Math.floor(query / MOST);
    const device = this.device!;
    this.sets[k] ??= {
      set: device.createQuerySet({ type: 'timestamp', count: MOST }),
      resolved: device.createBuffer({ label: 'timestamps', size: MOST * 8, usage: RESOLVE }),
      staging: device.createBuffer({ label: 'timestamps', size: MOST * 8, usage: READ }),
    };
    return this.sets[k];
  }

  /** Of what was recorded since the last time. */
  async stamps(): Promise<Stamp[]> {
    const out: Stamp[] = [];
    for (const [i, { staging }] of this.sets.entries()) {
      const count = Math.min(MOST, this.labels.length * 2 - i * MOST);
      if (count <= 0) break;
      await staging.mapAsync(1, 0, count * 8);
      const values = new BigUint64Array(staging.getMappedRange(0, count * 8));
      for (let k = 0; k < count; k += 2)
        out.push({ label: this.labels[(i * MOST + k) / 2]!, begin: values[k]!, end: values[k + 1]! });
      staging.unmap();
    }
    this.labels = [];
    return out;
  }
}

const featuresOf = (options: object): readonly string[] =>
  (options as { readonly requiredFeatures?: readonly string[] }).requiredFeatures ?? [];

/** The step between timestamps in nanoseconds: what divides all of them. 0n where there are none. */
export function quantum(stamps: readonly Stamp[]): bigint {
  const divisor = (a: bigint, b: bigint): bigint => (b === 0n ? a : divisor(b, a % b));
  return stamps.reduce((d, { begin, end }) => divisor(divisor(d, begin), end), 0n);
}

/** Rounded as coarsely as this, times of single kernels are right on average only. */
const COARSE = 10_000n;

/** `GPT.step 17: linear (gpt2.nn:5:3)`: the number of the call in its program. */
const callOf = (label: string): number => Number(/^\S+ (\d+):/.exec(label)?.[1] ?? -1);

export interface GpuProfile {
  readonly profile: Profile;
  readonly machine: Machine;
}

export async function profileGpu(
  artifact: Artifact,
  gpu: GpuLike | undefined,
  program: ProgramChoice,
  inputs: Inputs,
  sizes: Sizes,
  seconds: number,
): Promise<GpuProfile> {
  const adapter = (await gpu?.requestAdapter({ powerPreference: 'high-performance' })) as
    StampAdapter | null | undefined;
  if (adapter === undefined || adapter === null)
    return refuse('NN938', { unit: artifact.name, lacks: gpu === undefined ? 'package' : 'adapter' });
  const name = [adapter.info?.vendor, adapter.info?.device, adapter.info?.description].filter(Boolean).join(' ');
  if (!adapter.features.has('timestamp-query')) return refuse('NN946', { device: name });
  const clock = new StampClock(`${artifact.name}.${program}`);
  const emitted = await emittedClass<Promise<EventualInstance>>(artifact, 'wgsl');
  const instance = await awaited(artifact, () => emitted.create({ seed: 1, gpu: clock.gpu(adapter) }));
  const once = async (): Promise<number> => {
    const start = performance.now();
    await awaited(artifact, () => instance[program](inputs, sizes));
    return performance.now() - start;
  };
  for (let end = performance.now() + 300 * seconds, n = 0; performance.now() < end || n < 2; n++) await once();
  // Undisturbed calls first: stamps keep dispatches apart that a device may overlap.
  const times: number[] = [];
  for (let end = performance.now() + 300 * seconds; performance.now() < end || times.length < 3;)
    times.push(await once());
  clock.on = true;
  await once();
  await clock.stamps();
  const calls = callsOf(artifact, program);
  const sums = calls.map(() => ({ calls: 0, nanoseconds: [] as number[] }));
  const seen: Stamp[] = [];
  for (let end = performance.now() + 1000 * seconds, n = 0; performance.now() < end || n < 3; n++) {
    await once();
    const own = await clock.stamps();
    if (seen.length < 20_000) seen.push(...own);
    for (const s of sums) s.nanoseconds.push(0);
    const counts = sums.map(() => 0);
    for (const { label, begin, end: stop } of own) {
      const k = callOf(label);
      const sum = sums[k];
      if (sum === undefined) continue;
      counts[k]!++;
      // A device may reset its counter in between.
      sum.nanoseconds[sum.nanoseconds.length - 1]! += stop > begin ? Number(stop - begin) : 0;
    }
    sums.forEach((s, k) => (s.calls = counts[k]!));
    if (n === 500) break;
  }
  const machine = await gpuRoofs(clock.opened(), `this GPU (${name})`);
  instance.close();
  const step = quantum(seen);
  const coarse = step >= COARSE;
  const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
  const steps = calls.map((call, k): StepProfile => ({
    kernel: artifact.plan.kernels[call.step.kernel]!,
    origin: call.origin,
    calls: sums[k]!.calls,
    // Rounded values are right on average, and their median is not.
    milliseconds: (coarse ? mean(sums[k]!.nanoseconds) : median(sums[k]!.nanoseconds)) / 1e6,
    ...costOf(artifact, call, sizes),
    planned: plannedBytes(artifact.plan, call.step.buffers),
  }));
  const notes = [
    'kernels by timestamps of the device, each in a pass of its own: short ones look longer than they are in a call',
    ...(coarse ? [`this device rounds timestamps to ${Number(step) / 1000} µs: times are means over many calls`] : []),
  ];
  const profile: Profile = { steps, milliseconds: median(times), runs: times.length, sizes, notes };
  return { profile, machine };
}
