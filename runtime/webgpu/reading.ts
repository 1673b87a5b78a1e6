/**
 * Results on their way back from the GPU: buffers that the processor can map, kept for the next time, and what of them is which tensor. Room for losses and metrics is
 * taken at the start, so that a step never fails for want of it.
 */
import { NncError } from '../errors.ts';
import type { View } from '../memory.ts';
import type { PlanBuffer } from '../plan.ts';
import type { GpuBuffer, GpuDevice, GpuEncoder, GpuError } from './api.ts';
import { align } from './device.ts';
import type { GpuFaults } from './faults.ts';

/** A tensor that a program returned; the caller's own copy. */
export interface Result<A extends View = View> {
  readonly shape: readonly number[];
  readonly data: A;
}

/** A tensor to be read: where it lies, and its extents now. */
export interface Wanted {
  readonly position: number;
  readonly row: PlanBuffer;
  readonly shape: readonly number[];
  readonly from: { readonly buffer: GpuBuffer; readonly offset: number };
}

/** Copies under way: where in the staging buffer each tensor will be. */
export interface Reading {
  readonly staging: GpuBuffer;
  readonly bytes: number;
  /** Of a staging buffer that was made for this: whether there was memory for it. */
  readonly room: Promise<GpuError | null> | null;
  /** What the device said of what was submitted. */
  refusal: Promise<GpuError | null> | null;
  readonly parts: readonly { readonly wanted: Wanted; readonly at: number; readonly length: number }[];
}

// WebGPU's numbers.
const STAGING = 1 | 8;
const READ = 1;

const elements = (shape: readonly number[]): number => shape.reduce((n, e) => n * e, 1);

export class GpuReadings {
  private readonly device: GpuDevice;
  private readonly name: string;
  private readonly idle: GpuBuffer[] = [];

  /** `room`: bytes that are ready at once. */
  constructor(device: GpuDevice, name: string, room: number) {
    this.device = device;
    this.name = name;
    if (room > 0) this.idle.push(this.make(room));
  }

  private make(size: number): GpuBuffer {
    return this.device.createBuffer({ label: `${this.name}: results`, size, usage: STAGING });
  }

  /** Records the copies. */
  begin(encoder: GpuEncoder, all: readonly Wanted[]): Reading {
    let bytes = 0;
    const parts = all.map((wanted) => {
      const { storage, bytes: stored } = wanted.row;
      // Of what is stored in fewer bytes, its words.
      const part = {
        wanted,
        at: bytes,
        length: storage === undefined ? elements(wanted.shape) : Math.ceil(stored / 4),
      };
      bytes += align(part.length * 4);
      return part;
    });
    const found = this.idle.findIndex((b) => b.size >= bytes);
    let staging = found >= 0 ? this.idle.splice(found, 1)[0]! : null;
    let room: Promise<GpuError | null> | null = null;
    if (staging === null) {
      this.device.pushErrorScope('out-of-memory');
      staging = this.make(bytes);
      room = this.device.popErrorScope();
    }
    for (const { wanted, at, length } of parts) {
      const { buffer, offset } = wanted.from;
      if (length > 0) encoder.copyBufferToBuffer(buffer, offset, staging, at, length * 4);
    }
    return { staging, bytes, parts, room, refusal: null };
  }

  /** In a scope of its own: errors that belong to no call may be told after the results are there. */
  submit(encoder: GpuEncoder, reading: Reading): void {
    const { device } = this;
    device.pushErrorScope('validation');
    device.queue.submit([encoder.finish()]);
    reading.refusal = device.popErrorScope();
  }

  /** Waits for the GPU, then gives the tensors by position. */
  async collect(reading: Reading, faults: GpuFaults): Promise<Map<number, Result>> {
    const { staging, parts, bytes } = reading;
    const memory = await reading.room;
    if (memory !== null) {
      const positions = parts.map((p) => p.wanted.position);
      throw faults.noRoom(bytes, positions, memory);
    }
    const mapped = staging.mapAsync(READ, 0, bytes).then(
      () => null,
      (error: unknown) => String(error),
    );
    const refusal = await reading.refusal;
    if (refusal !== null) faults.note(refusal);
    const failure = await mapped;
    await faults.checked();
    if (failure !== null) throw new NncError('NN542', null, [`Results could not be read back: ${failure}`]);
    const out = new Map<number, Result>();
    const range = staging.getMappedRange(0, bytes);
    for (const { wanted, at, length } of parts) {
      const { dtype, storage } = wanted.row;
      const data =
        dtype === 'bool'
          ? Uint8Array.from(new Int32Array(range, at, length))
          : dtype === 'i32' || storage !== undefined
            ? new Int32Array(range, at, length).slice()
            : new Float32Array(range, at, length).slice();
      out.set(wanted.position, { shape: wanted.shape, data });
    }
    staging.unmap();
    this.idle.push(staging);
    return out;
  }

  destroy(): void {
    for (const buffer of this.idle) buffer.destroy();
  }
}
