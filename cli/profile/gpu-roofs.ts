/** What a GPU can do at most, measured when a profile is taken: multiplications and additions of independent registers, and reading memory once. */
import type { GpuBuffer, GpuDevice, GpuEncoder, GpuHandle, GpuPass } from '../../runtime/webgpu/api.ts';
import type { Machine } from './machine.ts';

export interface StampDevice extends GpuDevice {
  createQuerySet(options: { type: 'timestamp'; count: number }): GpuHandle;
  createComputePipelineAsync(options: object): Promise<GpuHandle & { getBindGroupLayout(index: number): GpuHandle }>;
}

export interface StampEncoder extends GpuEncoder {
  beginComputePass(options?: object): GpuPass;
  resolveQuerySet(set: GpuHandle, first: number, count: number, into: GpuBuffer, offset: number): unknown;
}

/** A thread multiplies and adds eight vectors of four so many times. */
const arithmetic = `
@group(0) @binding(0) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(1) var<uniform> rounds: u32;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let a = vec4<f32>(0.999f);
  let b = vec4<f32>(f32(id.x) * 1e-6f);
  ${Array.from({ length: 8 }, (_, k) => `var x${k} = vec4<f32>(${k}.0f);`).join(' ')}
  for (var i = 0u; i < rounds; i++) { ${Array.from({ length: 8 }, (_, k) => `x${k} = fma(x${k}, a, b);`).join(' ')} }
  out[id.x] = ${Array.from({ length: 8 }, (_, k) => `x${k}`).join(' + ')};
}`;

/** All threads together read the buffer once. */
const reading = `
@group(0) @binding(0) var<storage, read_write> data: array<vec4<f32>>;
@group(0) @binding(1) var<uniform> rounds: u32;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  var sum = vec4<f32>();
  for (var i = 0u; i < rounds; i++) { sum += data[id.x + i * groups.x * 64u]; }
  if (sum.x == 12345.0f) { data[id.x] = sum; }
}`;

const BYTES = 2 ** 26;
/** Long enough for any clock. */
const ENOUGH = 5;

export async function gpuRoofs(device: StampDevice, name: string): Promise<Machine> {
  const buffer = device.createBuffer({ label: 'probe', size: BYTES, usage: 128 | 8 });
  const uniform = device.createBuffer({ label: 'probe', size: 16, usage: 64 | 8 });
  const set = device.createQuerySet({ type: 'timestamp', count: 2 });
  const resolved = device.createBuffer({ label: 'probe', size: 256, usage: 512 | 4 });
  const staging = device.createBuffer({ label: 'probe', size: 256, usage: 1 | 8 });
  const probe = async (code: string): Promise<(groups: number, rounds: number) => Promise<number>> => {
    const module = device.createShaderModule({ code });
    const pipeline = await device.createComputePipelineAsync({
      layout: 'auto',
      compute: { module, entryPoint: 'main' },
    });
    const entries = [buffer, uniform].map((b, binding) => ({ binding, resource: { buffer: b } }));
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    return async (groups, rounds) => {
      device.queue.writeBuffer(uniform, 0, Uint32Array.of(rounds));
      const encoder = device.createCommandEncoder() as StampEncoder;
      const timestampWrites = { querySet: set, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
      const pass = encoder.beginComputePass({ timestampWrites });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(groups);
      pass.end();
      encoder.resolveQuerySet(set, 0, 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(1, 0, 16);
      const [begin, end] = new BigUint64Array(staging.getMappedRange(0, 16));
      staging.unmap();
      return Number(end! - begin!) / 1e6;
    };
  };
  const compute = await probe(arithmetic);
  let [groups, rounds, best] = [64, 64, 0];
  for (;;) {
    const time = await compute(groups, rounds);
    best = Math.max(best, (groups * 64 * rounds * 8 * 8) / time / 1e6);
    if (time >= ENOUGH) break;
    if (groups < 8192) groups *= 2;
    else if (rounds < 2 ** 20) rounds *= 2;
    else break;
  }
  const read = await probe(reading);
  let rate = 0;
  for (let k = 0; k < 3; k++) rate = Math.max(rate, BYTES / (await read(4096, BYTES / 16 / (4096 * 64))) / 1e6);
  for (const b of [buffer, uniform, resolved, staging]) b.destroy();
  return { name, peak: best, bandwidth: [{ upTo: Infinity, rate }] };
}
