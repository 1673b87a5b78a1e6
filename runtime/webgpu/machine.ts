/**
 * Runs the programs of a plan on a WebGPU device: two storage buffers (persistent and work), every step of the plan a dispatch with its own ranges of them, one
 * submit a call. What a call dispatches is listed when the sizes change; loops of the plan are in that list round by round, and a dispatch's sizes
 * are one 256-byte row of a uniform buffer. Between such changes a call allocates no GPU memory and reads nothing back unless asked.
 *
 * The plan here is the target's: offsets are multiples of 256, and every element takes four bytes.
 */
import { NncError } from '../errors.ts';
import { toHalf, type View } from '../memory.ts';
import type { Plan, PlanBuffer, PlanDType, PlanProgram, PlanStep, SizeExpr } from '../plan.ts';
import type { GpuBuffer, GpuDevice, GpuHandle, GpuLike, GpuPass } from './api.ts';
import { gatedDispatches, gateKernel, Gates, isGated, type LoopStep } from './gates.ts';
import { callSizes, checkInput, sizeValue, type Env, type GivenSizes, type Inputs } from './sizes.ts';

/** A kernel for one way in which its buffers lie. */
export interface GpuKernel {
  readonly name: string;
  /** The `.nn` place that it comes from. */
  readonly place: string | null;
  readonly code: string;
  /** Slot of each buffer parameter; slots are bindings 1, 2, … */
  readonly slots: readonly number[];
  /** Names of its integer parameters. */
  readonly sizes: readonly string[];
  readonly passes: readonly { readonly entry: string; readonly count: SizeExpr; readonly per: number }[];
}

/** `calls`: for every call of the plan in order of the text (by program), the position of its GpuKernel. */
export interface GpuProgramTable {
  readonly kernels: readonly GpuKernel[];
  readonly calls: Readonly<Record<string, readonly number[]>>;
}

/** What the program was compiled for: arenas are buffers of at most `buffer` bytes, tensors have at most `binding`. */
export interface GpuCompiledLimits {
  readonly buffer: number;
  readonly binding: number;
  readonly bindings: number;
}

/** A tensor that a program returned; the caller's own copy. */
export interface Result<A extends View = View> {
  readonly shape: readonly number[];
  readonly data: A;
}

export interface GpuOptions {
  /** A WebGPU entry other than `navigator.gpu`. */
  readonly gpu?: GpuLike;
  /** A device that is there already; the caller destroys it. */
  readonly device?: GpuDevice;
}

interface Dispatch {
  readonly pipeline: GpuHandle;
  readonly group: GpuHandle;
  offsets: readonly number[];
  readonly x: number;
  readonly y: number;
  /** Row of its extents among the gates', in a loop that may end early; else -1. */
  row: number;
}

interface Call {
  readonly kernel: GpuKernel;
  readonly pipelines: readonly GpuHandle[];
  readonly group: GpuHandle;
}

// WebGPU's numbers, since `GPUBufferUsage` is nowhere global in Node.
const MAP_READ = 1;
const COPY_SRC = 4;
const COPY_DST = 8;
const UNIFORM = 64;
const STORAGE = 128;
const COMPUTE = 4;
const GROUPS = 65_535;
const ROW = 256;

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

const align = (bytes: number): number => Math.max(ROW, Math.ceil(bytes / ROW) * ROW);

export class GpuMachine {
  readonly plan: Plan;
  readonly device: GpuDevice;
  seed = 0;
  /** Steps of training done. */
  steps = 0;
  private readonly ownsDevice: boolean;
  /** Buffers of each arena, one behind the other. */
  private readonly arenas: Readonly<Record<PlanBuffer['arena'], readonly GpuBuffer[]>>;
  private readonly chunk: number;
  private uniform: GpuBuffer | null = null;
  private readonly calls = new Map<PlanStep, Call>();
  /** Where the plan has loops that may end early. */
  private gates: Gates | null = null;
  private env: Env;
  /** By program; dropped when the sizes change. */
  private listed = new Map<string, readonly Dispatch[]>();
  /** Rows of the uniform buffer by content. */
  private rows = new Map<string, number>();
  private values: Int32Array<ArrayBuffer> = new Int32Array(0);
  private readonly idle: GpuBuffer[] = [];
  private failure: NncError | null = null;

  private constructor(plan: Plan, limits: GpuCompiledLimits, device: GpuDevice, ownsDevice: boolean) {
    this.plan = plan;
    this.device = device;
    this.ownsDevice = ownsDevice;
    this.env = new Map(plan.sizes.map((s) => [s.name, s.bound]));
    this.chunk = limits.buffer;
    const usage = STORAGE | COPY_SRC | COPY_DST;
    const arena = (name: PlanBuffer['arena']): readonly GpuBuffer[] => {
      const total = align(plan.arenas[name]);
      return Array.from({ length: Math.ceil(total / limits.buffer) }, (_, k) => {
        const size = Math.min(limits.buffer, total - k * limits.buffer);
        return device.createBuffer({ label: `${plan.name}: ${name}`, size, usage });
      });
    };
    this.arenas = { persistent: arena('persistent'), work: arena('work') };
    const before = device.onuncapturederror;
    device.onuncapturederror = (event) => {
      const { error } = event;
      before?.(event);
      this.failure ??= new NncError('NN544', null, [`The GPU refused something: ${error.message}`]);
    };
    void device.lost.then(({ reason, message }) => {
      this.failure = new NncError('NN542', null, [
        `The GPU device was lost (${reason ?? 'unknown'}${message === '' ? '' : `: ${message}`}). Create ${plan.name} anew and restore the last checkpoint.`,
      ]);
    });
  }

  static async create(
    plan: Plan,
    table: GpuProgramTable,
    limits: GpuCompiledLimits,
    options: GpuOptions,
  ): Promise<GpuMachine> {
    const needs = needsOf(plan, table, limits);
    const device = options.device ?? (await openDevice(plan, needs, options.gpu));
    checkLimits(plan, needs, device);
    device.pushErrorScope('out-of-memory');
    const machine = new GpuMachine(plan, limits, device, options.device === undefined);
    const memory = await device.popErrorScope();
    if (memory !== null) {
      throw new NncError('NN545', null, [
        `${plan.name} needs ${plan.arenas.persistent} + ${plan.arenas.work} bytes on the GPU: ${memory.message}`,
      ]);
    }
    await machine.compile(table);
    return machine;
  }

  // ----------------------------------------------------------------------------------------------------------------------------- set up

  /** All pipelines at once; equal shaders (of equal layers, say) once. */
  private async compile(table: GpuProgramTable): Promise<void> {
    const { device } = this;
    const layouts = new Map<number, { readonly group: GpuHandle; readonly pipeline: GpuHandle }>();
    const layoutFor = (count: number): { readonly group: GpuHandle; readonly pipeline: GpuHandle } => {
      const known = layouts.get(count);
      if (known !== undefined) return known;
      const entries: object[] = [
        { binding: 0, visibility: COMPUTE, buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: ROW } },
      ];
      for (let i = 1; i <= count; i++) entries.push({ binding: i, visibility: COMPUTE, buffer: { type: 'storage' } });
      const group = device.createBindGroupLayout({ entries });
      const made = { group, pipeline: device.createPipelineLayout({ bindGroupLayouts: [group] }) };
      layouts.set(count, made);
      return made;
    };
    const countOf = (kernel: GpuKernel): number => Math.max(-1, ...kernel.slots) + 1;
    const known = new Map<string, Promise<readonly GpuHandle[]>>();
    const pipelinesOf = (kernel: GpuKernel): Promise<readonly GpuHandle[]> => {
      let made = known.get(kernel.code);
      if (made === undefined)
        known.set(kernel.code, (made = this.pipelines(kernel, layoutFor(countOf(kernel)).pipeline)));
      return made;
    };
    const copies = pipelinesOf(copyKernel);
    const compiled = await Promise.all(table.kernels.map((k) => pipelinesOf(k)));
    const copyPipelines = await copies;
    this.reserve();
    await this.gate(table, layoutFor, pipelinesOf);
    for (const [name, program] of Object.entries(this.plan.programs)) {
      const order = table.calls[name]!;
      let next = 0;
      const go = (steps: readonly PlanStep[]): void => {
        for (const step of steps) {
          if (step.kind === 'loop') go(step.body);
          else if (step.kind === 'copy') {
            const group = this.group(layoutFor(2).group, copyKernel, [step.from, step.to]);
            this.calls.set(step, { kernel: copyKernel, pipelines: copyPipelines, group });
          } else {
            const position = order[next++]!;
            const kernel = table.kernels[position]!;
            const group = this.group(layoutFor(countOf(kernel)).group, kernel, step.buffers);
            this.calls.set(step, { kernel, pipelines: compiled[position]!, group });
          }
        }
      };
      go(program.steps);
    }
  }

  /** The gates of loops that may end early, if there are any. */
  private async gate(
    table: GpuProgramTable,
    layoutFor: (count: number) => { readonly group: GpuHandle; readonly pipeline: GpuHandle },
    pipelinesOf: (kernel: GpuKernel) => Promise<readonly GpuHandle[]>,
  ): Promise<void> {
    const most = Math.max(1, ...table.kernels.map((k) => k.passes.length));
    const count = gatedDispatches(this.plan, (step) => (step.kind === 'call' ? most : 1), this.env);
    if (count === 0) return;
    const gates = new Gates(this.device, this.plan.name, count);
    this.gates = gates;
    const pipelines = await pipelinesOf(gateKernel);
    const place = (buffer: number) => this.place(this.plan.buffers[buffer]!);
    const go = (steps: readonly PlanStep[]): void => {
      for (const step of steps) {
        if (step.kind !== 'loop') continue;
        go(step.body);
        if (!isGated(step)) continue;
        const entries = [{ binding: 0, resource: { buffer: this.uniform!, size: ROW } }, ...gates.entries(step, place)];
        const group = this.device.createBindGroup({ label: gateKernel.name, layout: layoutFor(4).group, entries });
        this.calls.set(step, { kernel: gateKernel, pipelines, group });
      }
    };
    for (const program of Object.values(this.plan.programs)) go(program.steps);
  }

  private async pipelines(kernel: GpuKernel, layout: GpuHandle): Promise<readonly GpuHandle[]> {
    const { device } = this;
    const module = device.createShaderModule({ label: kernel.name, code: kernel.code });
    try {
      return await Promise.all(
        kernel.passes.map(({ entry }) =>
          device.createComputePipelineAsync({ label: kernel.name, layout, compute: { module, entryPoint: entry } }),
        ),
      );
    } catch (error) {
      const { messages } = await module.getCompilationInfo();
      const lines = [...messages]
        .filter((m) => m.type === 'error')
        .map((m) => `${m.lineNum}:${m.linePos} ${m.message}`);
      const where = kernel.place === null ? '' : ` (${kernel.place})`;
      throw new NncError('NN544', kernel.name, [
        `The GPU refused the kernel ${kernel.name}${where}: ${lines.length > 0 ? lines.join('; ') : String(error)}`,
      ]);
    }
  }

  private place(b: PlanBuffer): { readonly buffer: GpuBuffer; readonly offset: number } {
    const k = Math.min(Math.floor(b.offset / this.chunk), this.arenas[b.arena].length - 1);
    return { buffer: this.arenas[b.arena][k]!, offset: b.offset - k * this.chunk };
  }

  private group(layout: GpuHandle, kernel: GpuKernel, buffers: readonly number[]): GpuHandle {
    const entries: object[] = [{ binding: 0, resource: { buffer: this.uniform!, size: ROW } }];
    const seen = new Set<number>();
    for (const [i, slot] of kernel.slots.entries()) {
      if (seen.has(slot)) continue;
      seen.add(slot);
      const members = buffers.filter((_b, k) => kernel.slots[k] === slot).map((b) => this.plan.buffers[b]!);
      const row = this.plan.buffers[buffers[i]!]!;
      const size = Math.max(4, ...members.map((b) => b.bytes));
      entries.push({ binding: slot + 1, resource: { ...this.place(row), size } });
    }
    return this.device.createBindGroup({ label: kernel.name, layout, entries });
  }

  /** The uniform buffer with room for every row that the bounds can ask for. */
  private reserve(): void {
    let count = 0;
    for (const program of Object.values(this.plan.programs)) count += this.longest(program.steps, new Map(this.env));
    this.values = new Int32Array((count * ROW) / 4);
    this.uniform = this.device.createBuffer({
      label: `${this.plan.name}: sizes`,
      size: Math.max(ROW, count * ROW),
      usage: UNIFORM | COPY_DST,
    });
  }

  private longest(steps: readonly PlanStep[], env: Map<string, number>): number {
    let count = 0;
    for (const step of steps) {
      if (step.kind !== 'loop') {
        count++;
        continue;
      }
      env.set(step.variable, 0);
      const gate = isGated(step) ? 1 : 0;
      count += sizeValue(step.count, env) * (gate + this.longest(step.body, env));
    }
    return count;
  }

  // ------------------------------------------------------------------------------------------------------------------------------- calls

  private list(program: PlanProgram): readonly Dispatch[] {
    const known = this.listed.get(program.name);
    if (known !== undefined) return known;
    const out: Dispatch[] = [];
    const from = this.rows.size;
    /** `gated`: what the gate of the round around it opens. */
    const go = (steps: readonly PlanStep[], env: Map<string, number>, gated: Dispatch[] | null): void => {
      for (const step of steps) {
        if (step.kind === 'loop') {
          const rounds = sizeValue(step.count, env);
          const inner = new Map(env);
          for (let i = 0; i < rounds; i++) {
            const round = step.reversed ? rounds - 1 - i : i;
            inner.set(step.variable, round);
            if (isGated(step)) this.gatedRound(step, round, i > 0, out, gated, (own) => go(step.body, inner, own));
            else go(step.body, inner, gated);
          }
          continue;
        }
        const call = this.calls.get(step)!;
        const { kernel, pipelines, group } = call;
        const values =
          step.kind === 'call'
            ? step.sizes.map((e) => sizeValue(e, env))
            : [this.plan.buffers[step.from]!.shape.reduce<number>((n, e) => n * sizeValue(e, env), 1)];
        const own = new Map(kernel.sizes.map((s, i) => [s, values[i]!]));
        const offsets = [this.row(values)];
        for (const [i, pass] of kernel.passes.entries()) {
          const groups = Math.ceil(sizeValue(pass.count, own) / pass.per);
          if (groups <= 0) continue;
          const x = Math.min(groups, GROUPS);
          const dispatch = { pipeline: pipelines[i]!, group, offsets, x, y: Math.ceil(groups / x), row: -1 };
          out.push(dispatch);
          gated?.push(dispatch);
        }
      }
    };
    go(program.steps, new Map(this.env), null);
    this.gates?.write();
    if (this.rows.size > from) {
      const begin = (from * ROW) / 4;
      this.device.queue.writeBuffer(this.uniform!, from * ROW, this.values, begin, (this.rows.size * ROW) / 4 - begin);
    }
    this.listed.set(program.name, out);
    return out;
  }

  private gatedRound(
    step: LoopStep,
    round: number,
    begun: boolean,
    out: Dispatch[],
    around: Dispatch[] | null,
    body: (own: Dispatch[]) => void,
  ): void {
    const { pipelines, group } = this.calls.get(step)!;
    const gate: Dispatch = { pipeline: pipelines[0]!, group, offsets: [0], x: 1, y: 1, row: -1 };
    out.push(gate);
    around?.push(gate);
    const own: Dispatch[] = [];
    body(own);
    for (const d of own) d.row = this.gates!.row(d.x, d.y);
    gate.offsets = [this.row([own[0]?.row ?? 0, own.length, round, begun ? 1 : 0])];
  }

  private row(values: readonly number[]): number {
    const key = values.join();
    let row = this.rows.get(key);
    if (row === undefined) {
      row = this.rows.size;
      this.rows.set(key, row);
      this.values.set(values, (row * ROW) / 4);
    }
    return row * ROW;
  }

  /** Throws what has gone wrong on the device since the last call. */
  private ready(): void {
    if (this.failure !== null) throw this.failure;
  }

  /** Checks and uploads the inputs and submits the program's dispatches, with copies of `wanted` buffers to be read afterwards. */
  submit(name: string, inputs: Inputs, given: GivenSizes, wanted: readonly number[]): Reading | null {
    this.ready();
    const program = this.plan.programs[name];
    if (program === undefined) throw new Error(`${this.plan.name} has no program ${name}`);
    const env = callSizes(this.plan, program, inputs, given, this.env);
    const taken = this.plan.inputs.filter((i) => program.inputs[i.name] !== undefined);
    for (const input of taken) checkInput(input, inputs[input.name], ARRAY_NAMES[input.dtype], env);
    if ([...env].some(([k, v]) => this.env.get(k) !== v)) {
      this.env = env;
      this.listed = new Map();
      this.rows = new Map();
      this.gates?.clear();
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
    const scalar = (name: string, value: number): void => {
      const buffer = program.inputs[name];
      if (buffer !== undefined && this.plan.buffers[buffer]!.kind === 'scalar')
        this.upload(buffer, Int32Array.of(value));
    };
    scalar('seed', this.seed);
    scalar('step', step);
    const dispatches = this.list(program);
    const encoder = device.createCommandEncoder({ label: `${this.plan.name}.${program.name}` });
    const live = this.gates?.live;
    // A gate that is not run itself leaves its round closed.
    if (live !== undefined) encoder.clearBuffer(live);
    const pass: GpuPass = encoder.beginComputePass();
    for (let i = 0; i < dispatches.length; i++) {
      const d = dispatches[i]!;
      pass.setPipeline(d.pipeline);
      pass.setBindGroup(0, d.group, d.offsets);
      if (d.row < 0) pass.dispatchWorkgroups(d.x, d.y);
      else pass.dispatchWorkgroupsIndirect(live!, d.row * 16);
    }
    pass.end();
    const reading =
      wanted.length === 0
        ? null
        : this.copyOut(wanted, (b, from, to, at, bytes) => {
            encoder.copyBufferToBuffer(b, from, to, at, bytes);
          });
    device.queue.submit([encoder.finish()]);
    return reading;
  }

  finished(): Promise<void> {
    return this.device.queue.onSubmittedWorkDone().then(() => this.ready());
  }

  // ------------------------------------------------------------------------------------------------------------------------ in and out

  shape(buffer: number): number[] {
    return this.plan.buffers[buffer]!.shape.map((e) => sizeValue(e, this.env));
  }

  upload(buffer: number, data: View): void {
    if (data.length === 0) return;
    const row = this.plan.buffers[buffer]!;
    let words: View = data;
    if (row.dtype === 'bool') words = Int32Array.from(data, (v) => (v !== 0 ? 1 : 0));
    else if (row.dtype === 'f16') words = Float32Array.from(data, toHalf);
    const { buffer: into, offset } = this.place(row);
    this.device.queue.writeBuffer(into, offset, words);
  }

  private copyOut(
    wanted: readonly number[],
    copy: (b: GpuBuffer, from: number, to: GpuBuffer, at: number, bytes: number) => void,
  ): Reading {
    const parts = wanted.map((buffer) => ({ buffer, shape: this.shape(buffer), at: 0, length: 0 }));
    let bytes = 0;
    for (const part of parts) {
      part.at = bytes;
      part.length = part.shape.reduce((n, e) => n * e, 1);
      bytes += align(part.length * 4);
    }
    const found = this.idle.findIndex((b) => b.size >= bytes);
    const staging =
      found >= 0
        ? this.idle.splice(found, 1)[0]!
        : this.device.createBuffer({ label: `${this.plan.name}: read`, size: bytes, usage: MAP_READ | COPY_DST });
    for (const { buffer, at, length } of parts) {
      const row = this.plan.buffers[buffer]!;
      const { buffer: from, offset } = this.place(row);
      if (length > 0) copy(from, offset, staging, at, length * 4);
    }
    return { staging, bytes, parts };
  }

  /** Waits for the GPU, then gives the wanted tensors, by buffer. */
  async collect(reading: Reading): Promise<Map<number, Result>> {
    const { staging, parts, bytes } = reading;
    try {
      await staging.mapAsync(1, 0, bytes);
    } catch (error) {
      await Promise.resolve();
      this.ready();
      throw new NncError('NN542', null, [`Results could not be read back: ${String(error)}`]);
    }
    const out = new Map<number, Result>();
    const range = staging.getMappedRange(0, bytes);
    for (const { buffer, shape, at, length } of parts) {
      const { dtype } = this.plan.buffers[buffer]!;
      const data =
        dtype === 'bool'
          ? Uint8Array.from(new Int32Array(range, at, length))
          : dtype === 'i32'
            ? new Int32Array(range, at, length).slice()
            : new Float32Array(range, at, length).slice();
      out.set(buffer, { shape, data });
    }
    staging.unmap();
    this.idle.push(staging);
    this.ready();
    return out;
  }

  /** Buffers as they are after all that was submitted. */
  read(buffers: readonly number[]): Promise<Map<number, Result>> {
    this.ready();
    if (buffers.length === 0) return Promise.resolve(new Map());
    const encoder = this.device.createCommandEncoder({ label: `${this.plan.name}: read` });
    const reading = this.copyOut(buffers, (b, from, to, at, bytes) => {
      encoder.copyBufferToBuffer(b, from, to, at, bytes);
    });
    this.device.queue.submit([encoder.finish()]);
    return this.collect(reading);
  }

  destroy(): void {
    const { persistent, work } = this.arenas;
    for (const buffer of [...persistent, ...work, this.uniform, ...this.idle]) buffer?.destroy();
    this.gates?.destroy();
    if (this.ownsDevice) this.device.destroy();
  }
}

/** Copies under way: where in the staging buffer each tensor will be. */
export interface Reading {
  readonly staging: GpuBuffer;
  readonly bytes: number;
  readonly parts: readonly {
    readonly buffer: number;
    readonly shape: readonly number[];
    readonly at: number;
    readonly length: number;
  }[];
}

interface Needs {
  /** Of the longest buffer. */
  readonly buffer: number;
  /** The greatest tensor. */
  readonly binding: PlanBuffer | null;
  /** Tensors of the kernel that uses most. */
  readonly bindings: number;
}

function needsOf(plan: Plan, table: GpuProgramTable, limits: GpuCompiledLimits): Needs {
  const largest = plan.buffers.reduce<PlanBuffer | null>((a, b) => (a === null || b.bytes > a.bytes ? b : a), null);
  const longest = Math.max(align(plan.arenas.persistent), align(plan.arenas.work));
  const bindings = Math.max(0, ...table.kernels.map((k) => Math.max(-1, ...k.slots) + 1));
  return { buffer: Math.min(longest, limits.buffer), binding: largest, bindings };
}

async function openDevice(plan: Plan, needs: Needs, given: GpuLike | undefined): Promise<GpuDevice> {
  const scope = globalThis as { readonly navigator?: { readonly gpu?: GpuLike } };
  const gpu = given ?? scope.navigator?.gpu;
  if (gpu === undefined) {
    throw new NncError('NN541', null, [
      'There is no WebGPU here: use a browser that has it (on a secure page), or pass { gpu } from the npm package webgpu in Node.',
    ]);
  }
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null)
    throw new NncError('NN541', null, ['WebGPU found no adapter: no GPU, or no driver that it accepts.']);
  const { buffer, binding, bindings } = needs;
  const { limits } = adapter;
  const requiredLimits: Record<string, number> = {};
  // The defaults (256 MiB a buffer, 128 MiB a binding, 8 of them) are everywhere; more is asked for only where it is needed.
  if (buffer > 2 ** 28) requiredLimits['maxBufferSize'] = Math.min(buffer, limits.maxBufferSize);
  if (binding !== null && binding.bytes > 2 ** 27)
    requiredLimits['maxStorageBufferBindingSize'] = Math.min(binding.bytes, limits.maxStorageBufferBindingSize);
  if (bindings > 8)
    requiredLimits['maxStorageBuffersPerShaderStage'] = Math.min(bindings, limits.maxStorageBuffersPerShaderStage);
  try {
    return await adapter.requestDevice({ label: plan.name, requiredLimits });
  } catch (error) {
    throw new NncError('NN541', null, [`WebGPU gave no device: ${String(error)}`]);
  }
}

function checkLimits(plan: Plan, { buffer, binding, bindings }: Needs, { limits }: GpuDevice): void {
  const problems: string[] = [];
  if (buffer > limits.maxBufferSize) {
    problems.push(
      `${plan.name} needs a buffer of ${buffer} bytes; this device has at most ${limits.maxBufferSize}. Compile it for buffers of that size, or with smaller bounds of the sizes.`,
    );
  }
  if (binding !== null && binding.bytes > limits.maxStorageBufferBindingSize) {
    problems.push(
      `${binding.name} takes ${binding.bytes} bytes; this device binds at most ${limits.maxStorageBufferBindingSize} at once. Smaller bounds of the sizes make it smaller.`,
    );
  }
  if (bindings > limits.maxStorageBuffersPerShaderStage) {
    problems.push(
      `A kernel of ${plan.name} uses ${bindings} tensors; this device binds at most ${limits.maxStorageBuffersPerShaderStage} at once.`,
    );
  }
  if (problems.length > 0) throw new NncError('NN543', binding?.name ?? null, problems);
}
