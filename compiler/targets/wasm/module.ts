/** The functions of one module: library functions when first asked for, register tiles (imported), kernels, programs. */
import type { Kernel } from '../../kernel/types.ts';
import { wasmSchedule, type WasmSchedule } from '../../schedule/wasm.ts';
import { withRoom } from './block.ts';
import { ModuleBuilder } from './encoder.ts';
import { Fn } from './function.ts';
import type { Side } from './hoist.ts';
import { KernelEmitter, signatureOf, type KernelContext } from './kernel.ts';
import { library, Pool, type LibraryName } from './math.ts';
import { PANEL, tileName, tileSignature } from './tile.ts';

export interface ModuleOptions {
  readonly pages: number;
  readonly shared: boolean;
  /** See ProductContext. */
  readonly cold?: boolean;
}

/** Addresses of the constants; what threads agree on (threads.ts) follows. */
const CONSTANTS = { start: 64, room: 832 } as const;
/** Where data may begin. */
export const FIRST = 2048;

export class WasmModule implements KernelContext {
  readonly builder: ModuleBuilder;
  /** Whether a kernel wants the tiles' module. */
  tiles = false;
  private readonly functions = new Map<LibraryName, number>();
  readonly pool: Pool | null = new Pool(CONSTANTS.start, CONSTANTS.room);

  readonly cold: boolean;

  constructor(options: ModuleOptions) {
    this.cold = options.cold === true;
    this.builder = new ModuleBuilder(options);
    for (let rows = 1; rows <= PANEL.rows; rows++) this.builder.import(tileName(rows), tileSignature);
  }

  library(name: LibraryName): number {
    let known = this.functions.get(name);
    if (known === undefined) {
      const { signature, body } = library[name];
      known = this.builder.declare(signature);
      this.functions.set(name, known);
      this.builder.define(known, body(this.pool));
    }
    return known;
  }

  tile(rows: number): number {
    this.tiles = true;
    return rows - 1;
  }

  /** A kernel's function; `exported` under its name. */
  kernel(kernel: Kernel, exported: boolean, schedule: WasmSchedule = wasmSchedule(kernel)): number {
    const target = this.builder.declare(signatureOf(kernel), exported ? kernel.name : null);
    const own = schedule.block === null ? kernel : withRoom(kernel, schedule.block.axis);
    this.builder.define(target, new KernelEmitter(own, this).emit(schedule));
    return target;
  }

  /** A product's function that takes an operand's panels as they are, and the one that makes them. */
  packed(kernel: Kernel, schedule: WasmSchedule, side: Side): { readonly target: number; readonly pack: number } {
    const signature = signatureOf(kernel, side);
    const [target, pack] = [this.builder.declare(signature), this.builder.declare(signature)];
    const emitter = (): KernelEmitter => new KernelEmitter(kernel, this, new Fn(signature));
    const product = emitter();
    product.packed = side;
    this.builder.define(target, product.emit(schedule));
    this.builder.define(pack, emitter().emitPack(schedule, side));
    return { target, pack };
  }

  encode(): Uint8Array<ArrayBuffer> {
    const constants = this.pool?.bytes() ?? new Uint8Array();
    if (constants.length > 0) this.builder.constants(CONSTANTS.start, constants);
    return this.builder.encode();
  }
}
