/** The functions of one module: library functions and register tiles when first asked for, kernels, programs. */
import type { Kernel } from '../../kernel/types.ts';
import { wasmSchedule, type WasmSchedule } from '../../schedule/wasm.ts';
import { ModuleBuilder } from './encoder.ts';
import { KernelEmitter, signatureOf, type KernelContext } from './kernel.ts';
import { library, type LibraryName } from './math.ts';
import { tileFunction, tileSignature, type TileShape } from './tile.ts';

export interface ModuleOptions {
  readonly pages: number;
  readonly shared: boolean;
  /** Fused multiply-add where the engine has it. */
  readonly relaxed: boolean;
}

export class WasmModule implements KernelContext {
  readonly builder: ModuleBuilder;
  readonly relaxed: boolean;
  private readonly functions = new Map<string, number>();

  constructor(options: ModuleOptions) {
    this.builder = new ModuleBuilder({ pages: options.pages, shared: options.shared });
    this.relaxed = options.relaxed;
  }

  private once(key: string, make: () => number): number {
    let known = this.functions.get(key);
    if (known === undefined) this.functions.set(key, (known = make()));
    return known;
  }

  library(name: LibraryName): number {
    return this.once(name, () => {
      const { signature, body } = library[name];
      const target = this.builder.declare(signature);
      this.builder.define(target, body());
      return target;
    });
  }

  tile(shape: TileShape): number {
    return this.once(`tile ${shape.rows} ${shape.unroll} ${shape.fence}`, () => {
      const target = this.builder.declare(tileSignature);
      this.builder.define(target, tileFunction(shape, this.relaxed));
      return target;
    });
  }

  kernel(kernel: Kernel, exported: boolean, schedule: WasmSchedule = wasmSchedule(kernel)): number {
    const target = this.builder.declare(signatureOf(kernel), exported ? kernel.name : null);
    this.builder.define(target, new KernelEmitter(kernel, this).emit(schedule));
    return target;
  }
}
