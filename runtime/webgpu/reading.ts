/**
 * Results on their way back from the GPU: buffers that the processor can map, kept for the next time, and what of them is which tensor. Room for losses and metrics is
 * taken at the start, so that a step never fails for want of it. What is longer than a buffer may be comes in several.
 */
import { NncError } from '../errors.ts';
import type { View } from '../memory.ts';
import type { PlanBuffer } from '../plan.ts';
import type { GpuBuffer, GpuDevice, GpuEncoder, GpuError } from './api.ts';
import { align, ROW } from './device.ts';
import type { GpuFaults } from './faults.ts';

/** A tensor that a program returned; the caller's own copy. */
export interface Result<A extends View = View> {
  readonly shape: readonly number[];
  readonly data: A;
}

/** Where something lies, and the bytes from there to the end of the buffer. */
export interface Place {
  readonly buffer: GpuBuffer;
  readonly offset: number;
  readonly room: number;
}

/** A tensor to be read: where each byte of it lies, and its extents now. */
export interface Wanted {
  readonly position: number;
  readonly row: PlanBuffer;
  readonly shape: readonly number[];
  readonly place: (byte: number) => Place;
}

/** Words of a tensor: from which on, how many, and where in the staging buffer they are. */
interface Part {
  readonly wanted: Wanted;
  readonly from: number;
  readonly at: number;
  readonly length: number;
}

interface Staging {
  readonly buffer: GpuBuffer;
  readonly bytes: number;
  /** Of a buffer that was made for this: whether there was memory for it. */
  readonly memory: Promise<GpuError | null> | null;
  readonly parts: readonly Part[];
}

/** Copies under way. */
export interface Reading {
  readonly stagings: readonly Staging[];
  readonly all: readonly Wanted[];
  /** What the device said of what was submitted. */
  refusal: Promise<GpuError | null> | null;
}

// WebGPU's numbers.
const STAGING = 1 | 8;
const READ = 1;

const elements = (shape: readonly number[]): number => shape.reduce((n, e) => n * e, 1);

/** Of what is stored in fewer bytes, its words. */
const wordsOf = ({ row, shape }: Wanted): number =>
  row.storage === undefined ? elements(shape) : Math.ceil(row.bytes / 4);

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

  private take(bytes: number, parts: readonly Part[]): Staging {
    const found = this.idle.findIndex((b) => b.size >= bytes);
    if (found >= 0) return { buffer: this.idle.splice(found, 1)[0]!, bytes, memory: null, parts };
    this.device.pushErrorScope('out-of-memory');
    const buffer = this.make(bytes);
    return { buffer, bytes, memory: this.device.popErrorScope(), parts };
  }

  /** Records the copies. */
  begin(encoder: GpuEncoder, all: readonly Wanted[]): Reading {
    const most = this.device.limits.maxBufferSize;
    const stagings: Staging[] = [];
    let parts: Part[] = [];
    let bytes = 0;
    const close = (): void => {
      stagings.push(this.take(bytes, parts));
      [parts, bytes] = [[], 0];
    };
    for (const wanted of all) {
      const words = wordsOf(wanted);
      for (let from = 0; from < words || words === 0;) {
        if (bytes + ROW > most) close();
        const length = Math.min(words - from, wanted.place(from * 4).room / 4, Math.floor((most - bytes) / 4));
        parts.push({ wanted, from, at: bytes, length });
        bytes += align(length * 4);
        from += length;
        if (words === 0) break;
      }
    }
    close();
    for (const { buffer: staging, parts } of stagings)
      for (const { wanted, from, at, length } of parts) {
        const { buffer, offset } = wanted.place(from * 4);
        if (length > 0) encoder.copyBufferToBuffer(buffer, offset, staging, at, length * 4);
      }
    return { stagings, all, refusal: null };
  }

  /** In a scope of its own: errors that belong to no call may be told after the results are there. `earlier`: what was said of parts of the call before. */
  submit(encoder: GpuEncoder, reading: Reading, earlier: readonly Promise<GpuError | null>[] = []): void {
    const { device } = this;
    device.pushErrorScope('validation');
    device.queue.submit([encoder.finish()]);
    const last = device.popErrorScope();
    reading.refusal =
      earlier.length === 0 ? last : Promise.all([...earlier, last]).then((all) => all.find((e) => e !== null) ?? null);
  }

  /** Waits for the GPU, then gives the tensors by position. */
  async collect(reading: Reading, faults: GpuFaults): Promise<Map<number, Result>> {
    const { stagings, all } = reading;
    for (const { memory, bytes, parts } of stagings) {
      const error = await memory;
      if (error !== null) {
        const positions = [...new Set(parts.map((p) => p.wanted.position))];
        throw faults.noRoom(bytes, positions, error);
      }
    }
    const mapped = Promise.all(stagings.map(({ buffer, bytes }) => buffer.mapAsync(READ, 0, bytes))).then(
      () => null,
      (error: unknown) => String(error),
    );
    const refusal = await reading.refusal;
    if (refusal !== null) faults.note(refusal);
    const failure = await mapped;
    await faults.checked();
    if (failure !== null) throw new NncError('NN542', null, [`Results could not be read back: ${failure}`]);
    const out = new Map<number, Result>();
    for (const wanted of all) {
      const { dtype, storage } = wanted.row;
      const words = wordsOf(wanted);
      const data =
        dtype === 'bool'
          ? new Uint8Array(words)
          : dtype === 'i32' || storage !== undefined
            ? new Int32Array(words)
            : new Float32Array(words);
      out.set(wanted.position, { shape: wanted.shape, data });
    }
    for (const { buffer, bytes, parts } of stagings) {
      const range = buffer.getMappedRange(0, bytes);
      for (const { wanted, from, at, length } of parts) {
        const { data } = out.get(wanted.position)!;
        data.set(
          data instanceof Float32Array ? new Float32Array(range, at, length) : new Int32Array(range, at, length),
          from,
        );
      }
      buffer.unmap();
      this.idle.push(buffer);
    }
    return out;
  }

  destroy(): void {
    for (const buffer of this.idle) buffer.destroy();
  }
}
