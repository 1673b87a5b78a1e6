/**
 * Runs the programs of a plan on a WebGPU device: two storage buffers (persistent and work), every step of the plan a dispatch with its own ranges of them, one
 * submit a call. What a call dispatches is listed when the sizes change; loops of the plan are in that list round by round, and a dispatch's sizes
 * are one 256-byte row of a uniform buffer. Between such changes a call allocates no GPU memory and reads nothing back unless asked.
 *
 * The plan here is the target's: offsets are multiples of 256, and every element takes four bytes but in what is stored in fewer, or kept in halves (halves.ts; only what
 * nobody reads from outside).
 */
import { NncError } from '../errors.ts';
import { toHalf, type View } from '../memory.ts';
import type { Plan, PlanBuffer, PlanDType, PlanLeaf, PlanProgram, PlanStep } from '../plan.ts';
import type { WeightTensor } from '../weights.ts';
import type { GpuBuffer, GpuDevice, GpuEncoder, GpuError, GpuHandle, GpuLike, GpuPass } from './api.ts';
import { align, bindingsOf, checkLimits, needsOf, openDevice, ROW } from './device.ts';
import { GpuFaults } from './faults.ts';
import { gatedDispatches, gateKernel, Gates, isGated } from './gates.ts';
import { calledKernels, programFor } from './halves.ts';
import { Listing, type Call, type Dispatch, type MergedCall } from './listing.ts';
import { kernelsFor } from './matrix.ts';
import { GpuPipelines, titleOf } from './pipelines.ts';
import { GpuReadings, type Place, type Reading, type Result, type Wanted } from './reading.ts';
import type { Quantised } from '../store.ts';
import { callSizes, checkInput, sizeValue, type Env, type GivenSizes, type Inputs } from './sizes.ts';
import type { GpuCompiledLimits, GpuKernel, GpuProgramTable } from './table.ts';

export interface GpuOptions {
  /** A WebGPU entry other than `navigator.gpu`. */
  readonly gpu?: GpuLike;
  /** A device that is there already; the caller destroys it. */
  readonly device?: GpuDevice;
}

/** How leaves that are stored in fewer bytes go in and come out (stored.ts). */
export interface GpuStore {
  readonly problem: (leaf: PlanLeaf, tensor: WeightTensor) => string | null;
  readonly put: (machine: GpuMachine, leaf: PlanLeaf, tensor: WeightTensor) => void;
  /** From the words that were read of it, and of its scales. */
  readonly take: (leaf: PlanLeaf, words: Result, scales: Result | undefined) => WeightTensor;
}

// WebGPU's numbers, since `GPUBufferUsage` is nowhere global in Node.
const COPY_SRC = 4;
const COPY_DST = 8;
const STORAGE = 128;
/** A call whose results are waited for is handed over in so many pieces at most, none of them shorter than so many dispatches. */
const PIECES = 8;
const EARLY = 24;
/** Bytes that are handed to the queue at once: it copies what it is given, so a large tensor never lies in memory twice. */
const PIECE = 2 ** 22;

const copyCode = `
struct Sizes { count_: i32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> from_b: array<u32>;
@group(0) @binding(2) var<storage, read_write> to_b: array<u32>;
@compute @workgroup_size(64)
fn copy_(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = i32(group.y * groups.x + group.x) * 64 + i32(thread);
  if (row < sizes.count_) { to_b[row] = from_b[row]; }
}
`;

const copyKernel: GpuKernel = {
  name: 'copy',
  place: null,
  code: copyCode,
  slots: [0, 1],
  sizes: ['count'],
  passes: [{ entry: 'copy_', count: 'count', per: 64 }],
};

const ARRAY_NAMES: Readonly<Record<PlanDType, string>> = {
  f32: 'Float32Array',
  f16: 'Float32Array',
  i32: 'Int32Array',
  bool: 'Uint8Array',
};

export class GpuMachine {
  readonly plan: Plan;
  /** The module's, which is the same but for memory. */
  compiled: Plan;
  readonly device: GpuDevice;
  seed = 0;
  /** Steps of training done. */
  steps = 0;
  /** Where the plan stores something in fewer bytes. */
  store: GpuStore | null = null;
  private readonly ownsDevice: boolean;
  /** Buffers of each arena, one behind the other. */
  private readonly arenas: Readonly<Record<PlanBuffer['arena'], readonly GpuBuffer[]>>;
  private readonly chunk: number;
  private readonly window: number;
  /** Shared by all kernels with several passes: nothing in it outlives a call. */
  private between: GpuBuffer | null = null;
  private readonly calls = new Map<PlanStep, Call>();
  private readonly merged = new Map<PlanStep, MergedCall>();
  /** Where the plan has loops that may end early. */
  private gates: Gates | null = null;
  private env: Env;
  private readonly listing: Listing;
  private readonly readings: GpuReadings;
  /** Where values are turned into words that a GPU has. */
  private scratch: Int32Array<ArrayBuffer> = new Int32Array(1);
  private readonly faults: GpuFaults;

  private constructor(plan: Plan, table: GpuProgramTable, limits: GpuCompiledLimits, device: GpuDevice, owns: boolean) {
    this.plan = plan;
    this.compiled = plan;
    this.device = device;
    this.ownsDevice = owns;
    this.env = new Map(plan.sizes.map((s) => [s.name, s.bound]));
    this.chunk = limits.buffer;
    this.window = limits.binding;
    const usage = STORAGE | COPY_SRC | COPY_DST;
    const arena = (name: PlanBuffer['arena']): readonly GpuBuffer[] => {
      const total = align(plan.arenas[name]);
      return Array.from({ length: Math.ceil(total / limits.buffer) }, (_, k) => {
        const size = Math.min(limits.buffer, total - k * limits.buffer);
        return device.createBuffer({ label: `${plan.name}: ${name}`, size, usage });
      });
    };
    this.arenas = { persistent: arena('persistent'), work: arena('work') };
    this.reserveScratch(table);
    const most = Math.max(1, ...table.kernels.map((k) => k.passes.length));
    const gated = gatedDispatches(plan, (step) => (step.kind === 'call' ? most : 1), this.env);
    if (gated > 0) this.gates = new Gates(device, plan.name, gated);
    this.listing = new Listing(plan, device, this.calls, this.merged, this.gates, this.env);
    // Losses and metrics are always wanted somewhen.
    const scalars = (outputs: readonly number[]): number =>
      outputs.every((b) => plan.buffers[b]!.shape.length === 0) ? outputs.length * ROW : 0;
    const room = Math.max(0, ...Object.values(plan.programs).map((p) => scalars(Object.values(p.outputs))));
    this.readings = new GpuReadings(device, plan.name, room);
    this.faults = new GpuFaults(plan, table.origins, device, (program) => this.refused(program));
  }

  static async create(
    plan: Plan,
    all: GpuProgramTable,
    limits: GpuCompiledLimits,
    options: GpuOptions,
  ): Promise<GpuMachine> {
    const device = options.device ?? (await openDevice(plan, all, limits, options.gpu));
    const own = programFor(plan, all, device.features);
    checkLimits(own.plan, needsOf(own.plan, own.table, limits), device);
    const table = kernelsFor(own.table, device);
    // All memory that is ever taken, but for what results are read into.
    device.pushErrorScope('out-of-memory');
    const machine = new GpuMachine(own.plan, table, limits, device, options.device === undefined);
    machine.compiled = plan;
    const memory = await device.popErrorScope();
    try {
      if (memory !== null) throw machine.faults.outOfMemory(memory);
      await machine.compile(table);
      machine.faults.check();
    } catch (error) {
      // A lost device has other consequences, which are told first.
      await Promise.resolve();
      const lost = machine.lost();
      machine.destroy();
      throw lost ?? error;
    }
    return machine;
  }

  private lost(): NncError | null {
    try {
      this.faults.check();
    } catch (error) {
      return error as NncError;
    }
    return null;
  }

  // ----------------------------------------------------------------------------------------------------------------------------- set up

  private async compile(table: GpuProgramTable): Promise<void> {
    const { device, gates } = this;
    const { moves } = this.listing;
    const pipelines = new GpuPipelines(device, moves);
    const all = [...calledKernels(table), copyKernel, ...(gates === null ? [] : [gateKernel])];
    const made = new Map(await Promise.all(all.map(async (k) => [k, await pipelines.of(k)] as const)));
    device.pushErrorScope('validation');
    // Labels say which call of which program: for whoever watches the device.
    const bind = (
      kernel: GpuKernel,
      offset: number,
      entries: readonly object[],
      call = '',
      few: Call | null = null,
    ): Call => {
      const first = { binding: 0, resource: { buffer: this.listing.uniform, offset, size: ROW } };
      const layout = pipelines.layout(bindingsOf(kernel)).group;
      const label = `${call}${titleOf(kernel)}`;
      const group = device.createBindGroup({ label, layout, entries: [first, ...entries] });
      return { kernel, pipelines: made.get(kernel)!, group, few };
    };
    for (const [name, program] of Object.entries(this.plan.programs)) {
      const order = table.calls[name]!;
      let next = 0;
      const go = (steps: readonly PlanStep[]): void => {
        for (const step of steps) {
          const offset = this.listing.place(program, step);
          if (step.kind === 'loop') {
            go(step.body);
            if (isGated(step)) {
              const entries = gates!.entries(step, (b) => this.place(this.plan.buffers[b]!));
              this.calls.set(step, bind(gateKernel, offset, entries));
            }
          } else if (step.kind === 'copy')
            this.calls.set(step, bind(copyKernel, offset, this.entries(copyKernel, [step.from, step.to])));
          else {
            const call = `${this.plan.name}.${name} ${next}: `;
            const of = (kernel: GpuKernel, few: Call | null): Call =>
              bind(kernel, offset, this.entries(kernel, step.buffers), call, few);
            const kernel = table.kernels[order[next++]!]!;
            this.calls.set(
              step,
              of(kernel, kernel.few === undefined ? null : of(table.kernels[kernel.few.kernel]!, null)),
            );
          }
        }
      };
      go(program.steps);
      for (const { first, count, kernel: position, buffers, within } of table.merged?.[name] ?? []) {
        const kernel = table.kernels[position]!;
        const step = program.steps[first]!;
        const label = `${this.plan.name}.${name} ${program.steps.slice(0, first).filter((s) => s.kind === 'call').length}: `;
        const call = bind(kernel, this.listing.place(program, step), this.entries(kernel, buffers), label);
        this.merged.set(step, { call, count, within });
      }
    }
    const error = await device.popErrorScope();
    if (error !== null) throw new NncError('NN544', null, [`The GPU refused ${this.plan.name}: ${error.message}`]);
  }

  /** Where a byte of a tensor lies, and how many follow it in that buffer. */
  private place(b: PlanBuffer, byte = 0): Place {
    const at = b.offset + byte;
    const k = Math.min(Math.floor(at / this.chunk), this.arenas[b.arena].length - 1);
    const offset = at - k * this.chunk;
    return { buffer: this.arenas[b.arena][k]!, offset, room: this.chunk - offset };
  }

  private entries(kernel: GpuKernel, buffers: readonly number[]): object[] {
    const entries: object[] = [];
    const seen = new Set<number>();
    for (const slot of kernel.slots) {
      if (slot < 0 || seen.has(slot)) continue;
      seen.add(slot);
      const members = buffers.filter((_b, k) => kernel.slots[k] === slot).map((b) => this.plan.buffers[b]!);
      const row = members.reduce((a, b) => (b.offset < a.offset ? b : a));
      // Whole vectors of four: what is behind a tensor, up to the next multiple of 256, is nobody's.
      const size = Math.ceil(Math.max(4, ...members.map((b) => b.offset + b.bytes - row.offset)) / 16) * 16;
      for (let from = 0, binding = slot + 1; from < size; from += this.window, binding++) {
        const { buffer, offset } = this.place(row, from);
        entries.push({ binding, resource: { buffer, offset, size: Math.min(this.window, size - from) } });
      }
    }
    if (kernel.scratch !== undefined)
      entries.push({ binding: bindingsOf(kernel), resource: { buffer: this.between! } });
    return entries;
  }

  /** Scratch memory for the call that needs most at the bounds. */
  private reserveScratch(table: GpuProgramTable): void {
    let most = 0;
    for (const [name, program] of Object.entries(this.plan.programs)) {
      const order = table.calls[name]!;
      let next = 0;
      const go = (steps: readonly PlanStep[], env: Map<string, number>): void => {
        for (const step of steps) {
          if (step.kind === 'loop')
            go(step.body, new Map(env).set(step.variable, Math.max(0, sizeValue(step.count, env) - 1)));
          if (step.kind !== 'call') continue;
          const kernel = table.kernels[order[next++]!]!;
          const own = new Map(kernel.sizes.map((s, i) => [s, sizeValue(step.sizes[i]!, env)]));
          for (const { scratch } of kernel.few === undefined ? [kernel] : [kernel, table.kernels[kernel.few.kernel]!])
            if (scratch !== undefined) most = Math.max(most, sizeValue(scratch, own));
        }
      };
      go(program.steps, new Map(this.env));
      for (const { kernel } of table.merged?.[name] ?? [])
        most = Math.max(most, sizeValue(table.kernels[kernel]!.scratch ?? 0, this.env));
    }
    if (most === 0) return;
    const size = align(most * 4);
    this.between = this.device.createBuffer({ label: `${this.plan.name}: between passes`, size, usage: STORAGE });
  }

  // ------------------------------------------------------------------------------------------------------------------------------- calls

  private list(program: PlanProgram): readonly Dispatch[] {
    return this.listing.of(program, this.env);
  }

  /** Dispatches that a call of a program is made of at the present sizes. */
  dispatches(program: string): number {
    return this.list(this.plan.programs[program]!).length;
  }

  /** Which kernels of a program the device refuses: each is recorded by itself, and not run. */
  private async refused(name: string): Promise<readonly string[]> {
    const asked = new Map<GpuHandle, { readonly kernel: GpuKernel; readonly error: Promise<GpuError | null> }>();
    for (const dispatch of this.list(this.plan.programs[name]!)) {
      if (asked.has(dispatch.group)) continue;
      this.device.pushErrorScope('validation');
      const encoder = this.device.createCommandEncoder({ label: 'search' });
      this.recordPass(encoder, [dispatch], 0, 1);
      encoder.finish();
      asked.set(dispatch.group, { kernel: dispatch.kernel, error: this.device.popErrorScope() });
    }
    const found = await Promise.all([...asked.values()].map(async (a) => ((await a.error) === null ? [] : [a.kernel])));
    return [...new Set(found.flat().map(titleOf))];
  }

  /** Checks and uploads the inputs and submits the program's dispatches, with copies of `wanted` buffers to be read afterwards. */
  submit(name: string, inputs: Inputs, given: GivenSizes, wanted: readonly number[]): Reading | null {
    this.faults.check();
    const program = this.plan.programs[name];
    if (program === undefined) throw new Error(`${this.plan.name} has no program ${name}`);
    const env = callSizes(this.plan, program, inputs, given, this.env);
    const taken = this.plan.inputs.filter((i) => program.inputs[i.name] !== undefined);
    for (const input of taken) checkInput(input, inputs[input.name], ARRAY_NAMES[input.dtype], env);
    if ([...env].some(([k, v]) => this.env.get(k) !== v)) {
      this.env = env;
      this.listing.changed();
    }
    for (const input of taken) this.upload(program.inputs[input.name]!, inputs[input.name]!);
    const reading = this.start(program, name === 'step' ? this.steps + 1 : this.steps, wanted);
    if (name === 'step') this.steps++;
    return reading;
  }

  /** The first values of everything persistent. */
  initialise(): void {
    const program = this.plan.programs['init'];
    if (program !== undefined) this.start(program, 0, []);
  }

  private start(program: PlanProgram, step: number, wanted: readonly number[]): Reading | null {
    const { device } = this;
    this.faults.program = program.name;
    this.faults.step = step;
    this.scalar(program, 'seed', this.seed);
    this.scalar(program, 'step', step);
    const dispatches = this.list(program);
    const label = `${this.plan.name}.${program.name}`;
    let from = 0;
    // Whoever waits for results waits less if the device begins while the rest is still being recorded. A step of training is one submit.
    const mayBegin = wanted.length > 0 && program.name !== 'step';
    const earlier: Promise<GpuError | null>[] = [];
    const count = Math.max(EARLY, Math.ceil(dispatches.length / PIECES));
    while (mayBegin && dispatches.length - from > 1.5 * count) {
      const encoder = device.createCommandEncoder({ label });
      this.recordPass(encoder, dispatches, from, (from += count));
      device.pushErrorScope('validation');
      device.queue.submit([encoder.finish()]);
      earlier.push(device.popErrorScope());
    }
    const encoder = device.createCommandEncoder({ label });
    this.recordPass(encoder, dispatches, from, dispatches.length);
    const reading = wanted.length === 0 ? null : this.readings.begin(encoder, this.wanted(wanted));
    if (reading === null) device.queue.submit([encoder.finish()]);
    else this.readings.submit(encoder, reading, earlier);
    return reading;
  }

  private recordPass(encoder: GpuEncoder, dispatches: readonly Dispatch[], from: number, to: number): void {
    const pass: GpuPass = encoder.beginComputePass();
    this.record(pass, dispatches, from, to);
    pass.end();
  }

  private record(pass: GpuPass, dispatches: readonly Dispatch[], from: number, to: number): void {
    let pipeline: GpuHandle | null = null;
    let group: GpuHandle | null = null;
    for (let i = from; i < to; i++) {
      const d = dispatches[i]!;
      if (d.pipeline !== pipeline) pass.setPipeline((pipeline = d.pipeline));
      if (d.offsets !== null) pass.setBindGroup(0, d.group, d.offsets);
      else if (d.group !== group) pass.setBindGroup(0, (group = d.group));
      if (d.row < 0 || d.settle !== undefined) pass.dispatchWorkgroups(d.x, d.y);
      else pass.dispatchWorkgroupsIndirect(this.gates!.live, d.row * 16);
    }
  }

  private scalar(program: PlanProgram, name: string, value: number): void {
    const buffer = program.inputs[name];
    if (buffer === undefined || this.plan.buffers[buffer]!.kind !== 'scalar') return;
    this.scratch[0] = value;
    this.write(this.plan.buffers[buffer]!, this.scratch, 1);
  }

  finished(): Promise<void> {
    return this.faults.settled();
  }

  // ------------------------------------------------------------------------------------------------------------------------ in and out

  shape(buffer: number): number[] {
    return this.plan.buffers[buffer]!.shape.map((e) => sizeValue(e, this.env));
  }

  upload(buffer: number, data: View): void {
    const row = this.plan.buffers[buffer]!;
    const { length } = data;
    if (row.dtype !== 'bool' && row.dtype !== 'f16') {
      this.write(row, data, length);
      return;
    }
    if (this.scratch.length < length) this.scratch = new Int32Array(length);
    const { scratch } = this;
    if (row.dtype === 'bool') for (let i = 0; i < length; i++) scratch[i] = data[i] !== 0 ? 1 : 0;
    else {
      const floats = new Float32Array(scratch.buffer);
      for (let i = 0; i < length; i++) floats[i] = toHalf(data[i]!);
    }
    this.write(row, scratch, length);
  }

  /** The first `count` words of an array, as they are. */
  private write(row: PlanBuffer, words: View, count: number): void {
    for (let from = 0; from < count;) {
      const { buffer, offset, room } = this.place(row, from * 4);
      const length = Math.min(Math.min(PIECE, room) / 4, count - from);
      this.device.queue.writeBuffer(buffer, offset, words, from, length);
      from += length;
    }
  }

  /** Bytes at a place of a buffer that is a multiple of four; a last part of a word is filled up. */
  send(position: number, at: number, data: Quantised['data'] | Float32Array): void {
    const row = this.plan.buffers[position]!;
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    const whole = bytes.length - (bytes.length % 4);
    for (let from = 0; from < whole;) {
      const { buffer, offset, room } = this.place(row, at + from);
      const length = Math.min(PIECE, room, whole - from);
      this.device.queue.writeBuffer(buffer, offset, bytes, from, length);
      from += length;
    }
    if (whole === bytes.length) return;
    const last = new Uint8Array(4);
    last.set(bytes.subarray(whole));
    const { buffer, offset } = this.place(row, at + whole);
    this.device.queue.writeBuffer(buffer, offset, last);
  }

  private wanted(buffers: readonly number[]): Wanted[] {
    return buffers.map((position) => {
      const row = this.plan.buffers[position]!;
      return { position, row, shape: this.shape(position), place: (byte) => this.place(row, byte) };
    });
  }

  /** Waits for the GPU, then gives the wanted tensors, by buffer. */
  collect(reading: Reading): Promise<Map<number, Result>> {
    return this.readings.collect(reading, this.faults);
  }

  /** Buffers as they are after all that was submitted. */
  read(buffers: readonly number[]): Promise<Map<number, Result>> {
    this.faults.check();
    if (buffers.length === 0) return Promise.resolve(new Map());
    const encoder = this.device.createCommandEncoder({ label: `${this.plan.name}: read` });
    const reading = this.readings.begin(encoder, this.wanted(buffers));
    this.readings.submit(encoder, reading);
    return this.collect(reading);
  }

  destroy(): void {
    const { persistent, work } = this.arenas;
    for (const buffer of [...persistent, ...work, this.listing.uniform, this.between]) buffer?.destroy();
    this.readings.destroy();
    this.gates?.destroy();
    if (this.ownsDevice) this.device.destroy();
  }
}
