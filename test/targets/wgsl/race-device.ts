/**
 * A device that computes by interpreting WGSL (`wgsl_reflect`), all invocations of a workgroup in lockstep, and notes where two of them touch the same bytes, one of them writing,
 * with no barrier between. Slow: for tiny shapes. As much of WebGPU as the runtime uses.
 */
import { detectRaces } from 'wgsl_reflect/wgsl_reflect.module.js';
import type { GpuBuffer, GpuDevice, GpuEncoder, GpuHandle, GpuPass } from '../../../runtime/webgpu/api.ts';

interface Memory extends GpuBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

interface Pipeline extends GpuHandle {
  readonly code: string;
  readonly entry: string;
}

interface Group extends GpuHandle {
  readonly entries: readonly {
    readonly binding: number;
    readonly resource: { readonly buffer: Memory; readonly offset?: number; readonly size?: number };
  }[];
}

export interface Found {
  /** Kernels that ran: label and entry. */
  readonly ran: Set<string>;
  readonly races: string[];
  readonly errors: string[];
}

/** The interpreter does not know this one, which is a load between two barriers. */
const withoutUniformLoad = (code: string): string =>
  code.replace(
    /^(\s*)(.*?)workgroupUniformLoad\(&([^)]*)\)(.*)$/gm,
    '$1workgroupBarrier();\n$1$2$3$4\n$1workgroupBarrier();',
  );

export function raceDevice(change: (code: string) => string = (code) => code): { device: GpuDevice; found: Found } {
  const found: Found = { ran: new Set(), races: [], errors: [] };
  const buffer = (size: number): Memory => {
    const bytes = new Uint8Array(size);
    return {
      size,
      bytes,
      mapAsync: () => Promise.resolve(),
      getMappedRange: (from = 0, length = size - from) => bytes.buffer.slice(from, from + length),
      unmap: () => undefined,
      destroy: () => undefined,
    };
  };

  function dispatch(pipeline: Pipeline, group: Group, offset: number, counts: readonly number[]): void {
    const key = `${pipeline.label} ${pipeline.entry}`;
    const views = group.entries.map(({ binding, resource }) => {
      const from = (resource.offset ?? 0) + (binding === 0 ? offset : 0);
      const size = resource.size ?? resource.buffer.size - from;
      return {
        binding,
        from,
        bytes: resource.buffer.bytes,
        copy: resource.buffer.bytes.buffer.slice(from, from + size),
      };
    });
    const bound = Object.fromEntries(views.map((v) => [v.binding, v.binding === 0 ? { uniform: v.copy } : v.copy]));
    const { races, errors } = detectRaces(withoutUniformLoad(change(pipeline.code)), pipeline.entry, [...counts], {
      0: bound,
    });
    for (const v of views) if (v.binding > 0) v.bytes.set(new Uint8Array(v.copy), v.from);
    found.ran.add(key);
    if (races.length > 0) found.races.push(`${key}: ${races[0]!.message}`);
    if (errors.length > 0) found.errors.push(`${key}: ${errors[0]!}`);
  }

  function encoder(): GpuEncoder {
    return {
      beginComputePass(): GpuPass {
        let pipeline: Pipeline | null = null;
        let group: Group | null = null;
        let at = 0;
        return {
          setPipeline: (p) => (pipeline = p as Pipeline),
          setBindGroup: (_index, g, offsets) => ([group, at] = [g as Group, offsets?.[0] ?? 0]),
          dispatchWorkgroups: (x, y = 1, z = 1) => dispatch(pipeline!, group!, at, [x, y, z]),
          dispatchWorkgroupsIndirect: (from, offset) =>
            dispatch(pipeline!, group!, at, [...new Uint32Array((from as Memory).bytes.buffer, offset, 3)]),
          end: () => undefined,
        };
      },
      copyBufferToBuffer: (from, fromOffset, to, toOffset, size) =>
        (to as Memory).bytes.set((from as Memory).bytes.subarray(fromOffset, fromOffset + size), toOffset),
      finish: () => ({ label: '' }),
    };
  }

  const limits = {
    maxBufferSize: 2 ** 28,
    maxStorageBufferBindingSize: 2 ** 27,
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupStorageSize: 2 ** 14,
  };
  const device: GpuDevice = {
    limits,
    features: new Set<string>(),
    adapterInfo: {},
    lost: new Promise(() => undefined),
    onuncapturederror: null,
    queue: {
      writeBuffer(into, offset, data, from = 0, count) {
        const view = data as Float32Array;
        const { BYTES_PER_ELEMENT: width, byteOffset } = view;
        const length = (count ?? view.length - from) * width;
        (into as Memory).bytes.set(new Uint8Array(view.buffer, byteOffset + from * width, length), offset);
      },
      // Recording computes at once.
      submit: () => undefined,
      onSubmittedWorkDone: () => Promise.resolve(),
    },
    createBuffer: ({ size }) => buffer(size),
    createShaderModule: ({ code }) =>
      Object.assign({ getCompilationInfo: () => Promise.resolve({ messages: [] }) }, { code }),
    createBindGroupLayout: () => ({ label: '' }),
    createPipelineLayout: () => ({ label: '' }),
    createComputePipelineAsync: ({ label = '', compute }) =>
      Promise.resolve({ label, entry: compute.entryPoint, code: (compute.module as unknown as { code: string }).code }),
    createBindGroup: ({ label = '', entries }) => Object.assign({ label }, { entries }),
    createCommandEncoder: encoder,
    pushErrorScope: () => undefined,
    popErrorScope: () => Promise.resolve(null),
    destroy: () => undefined,
  };
  return { device, found };
}
