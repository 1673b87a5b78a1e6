/**
 * Compiles the kernels of a program: all at once and asynchronously, equal shaders (of equal layers, say) once. Every kernel has the same kind of layout: its sizes
 * at binding 0 (at a place that a dispatch tells only where there are loops), its buffers behind. What the device refuses is said with the kernel's place in the source.
 */
import { NncError } from '../errors.ts';
import type { GpuDevice, GpuHandle } from './api.ts';
import { bindingsOf, ROW } from './device.ts';
import type { GpuKernel } from './table.ts';

const COMPUTE = 4;

interface Layout {
  readonly group: GpuHandle;
  readonly pipeline: GpuHandle;
}

/** The name, and where it comes from: in labels, hence in what the device says, and in reports. */
export const titleOf = ({ name, place }: GpuKernel): string => (place === null ? name : `${name} (${place})`);

export class GpuPipelines {
  private readonly device: GpuDevice;
  private readonly moves: boolean;
  private readonly layouts = new Map<number, Layout>();
  private readonly known = new Map<string, Promise<readonly GpuHandle[]>>();

  /** `moves`: a dispatch tells where its sizes are. */
  constructor(device: GpuDevice, moves: boolean) {
    this.device = device;
    this.moves = moves;
  }

  layout(bindings: number): Layout {
    const known = this.layouts.get(bindings);
    if (known !== undefined) return known;
    const { device } = this;
    const entries: object[] = [
      {
        binding: 0,
        visibility: COMPUTE,
        buffer: { type: 'uniform', hasDynamicOffset: this.moves, minBindingSize: ROW },
      },
    ];
    for (let i = 1; i <= bindings; i++) entries.push({ binding: i, visibility: COMPUTE, buffer: { type: 'storage' } });
    const group = device.createBindGroupLayout({ entries });
    const made = { group, pipeline: device.createPipelineLayout({ bindGroupLayouts: [group] }) };
    this.layouts.set(bindings, made);
    return made;
  }

  /** One a pass of the kernel. */
  of(kernel: GpuKernel): Promise<readonly GpuHandle[]> {
    let made = this.known.get(kernel.code);
    if (made === undefined) this.known.set(kernel.code, (made = this.compile(kernel)));
    return made;
  }

  private async compile(kernel: GpuKernel): Promise<readonly GpuHandle[]> {
    const { device } = this;
    const layout = this.layout(bindingsOf(kernel)).pipeline;
    const label = titleOf(kernel);
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ label, code: kernel.code });
    // Of no use but to keep it from being told twice: the pipelines fail with it.
    const told = device.popErrorScope();
    try {
      return await Promise.all(
        kernel.passes.map(({ entry }) =>
          device.createComputePipelineAsync({ label, layout, compute: { module, entryPoint: entry } }),
        ),
      );
    } catch (error) {
      const { messages } = await module.getCompilationInfo();
      const lines = [...messages]
        .filter((m) => m.type === 'error')
        .map((m) => `${m.lineNum}:${m.linePos} ${m.message}`);
      const reason = lines.length > 0 ? lines.join('; ') : error instanceof Error ? error.message : String(error);
      throw new NncError('NN544', kernel.name, [`The GPU refused the kernel ${label}: ${reason}`]);
    } finally {
      await told;
    }
  }
}
