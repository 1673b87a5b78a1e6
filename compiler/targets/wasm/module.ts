/** The functions of one module: library functions when first asked for, register tiles (imported), kernels, programs. */
import type { Kernel } from '../../kernel/types.ts';
import { wasmSchedule, type WasmSchedule } from '../../schedule/wasm.ts';
import { withRoom } from './block.ts';
import { ModuleBuilder, type FunctionBody, type Signature } from './encoder.ts';
import type { Side } from './hoist.ts';
import { Fn } from './function.ts';
import { KernelEmitter, signatureOf, type KernelContext } from './kernel.ts';
import { library, Pool, type LibraryName } from './math.ts';
import { neighbours } from './neighbours.ts';
import { packFunction } from './pack.ts';
import { shorten } from './shorten.ts';
import { packSignature, type PackForm } from './pack-function.ts';
import { PANEL, tileName, tilesFunction, tileSignature, tilesSignature } from './tile.ts';

export interface ModuleOptions {
  readonly pages: number;
  readonly shared: boolean;
  /** See ProductContext. */
  readonly cold?: boolean;
  /** Functions in fewer bytes (shorten.ts), for a tenth of the time of compiling; the default. */
  readonly short?: boolean;
}

export interface Written {
  readonly signature: Signature;
  readonly body: FunctionBody;
}

/** Addresses of the constants; what threads agree on (threads.ts) follows. */
const CONSTANTS = { start: 64, room: 832 } as const;
/** Where data may begin. */
export const FIRST = 2048;

export class WasmModule implements KernelContext {
  readonly builder: ModuleBuilder;
  private sweep: number | null = null;
  private readonly functions = new Map<LibraryName, number>();
  private readonly packs = new Map<string, number>();
  readonly pool: Pool | null = new Pool(CONSTANTS.start, CONSTANTS.room);

  readonly cold: boolean;
  private readonly shortens: boolean;

  constructor(options: ModuleOptions) {
    this.cold = options.cold === true;
    this.shortens = options.short !== false;
    this.builder = new ModuleBuilder(options);
    for (let rows = 1; rows <= PANEL.rows; rows++) this.builder.import(tileName(rows), tileSignature);
  }

  /** Whether a kernel wants the tiles' module. */
  get hasTiles(): boolean {
    return this.sweep !== null;
  }

  library(name: LibraryName): number {
    let known = this.functions.get(name);
    if (known === undefined) {
      const { signature, body } = library[name];
      known = this.builder.declare(signature);
      this.functions.set(name, known);
      this.builder.define(known, this.short({ signature, body: body(this.pool) }).body);
    }
    return known;
  }

  pack(form: PackForm): number {
    const key = `${form.way} ${form.width} ${form.cold}`;
    let known = this.packs.get(key);
    if (known === undefined) {
      known = this.builder.declare(packSignature);
      this.packs.set(key, known);
      this.builder.define(known, this.short({ signature: packSignature, body: packFunction(form, this) }).body);
    }
    return known;
  }

  tiles(): number {
    if (this.sweep === null) {
      const body = tilesFunction((rows) => rows - 1);
      this.sweep = this.define(tilesSignature, body);
    }
    return this.sweep;
  }

  /** A kernel's function; `exported` under its name. */
  kernel(kernel: Kernel, exported: boolean, schedule: WasmSchedule = wasmSchedule(kernel)): number {
    const { signature, body } = this.written(kernel, schedule);
    return this.define(signature, body, exported ? kernel.name : null);
  }

  /** A kernel's function that stands in no module yet. */
  written(kernel: Kernel, schedule: WasmSchedule): Written {
    const own = schedule.block === null ? kernel : withRoom(kernel, schedule.block.axis);
    return this.short({ signature: signatureOf(kernel), body: new KernelEmitter(own, this).emit(schedule) });
  }

  private short({ signature, body }: Written): Written {
    if (!this.shortens) return { signature, body };
    return { signature, body: shorten(signature, body, (target) => this.builder.signature(target)) };
  }

  /** A function that calls those that are there; `exported` under that name. */
  define(signature: Signature, body: FunctionBody, exported: string | null = null): number {
    const target = this.builder.declare(signature, exported);
    this.builder.define(target, this.short({ signature, body }).body);
    return target;
  }

  /** A product's function that takes an operand's panels as they are, and the one that makes them. */
  packed(kernel: Kernel, schedule: WasmSchedule, side: Side): { readonly target: Written; readonly pack: Written } {
    const signature = signatureOf(kernel, side);
    const emitter = (): KernelEmitter => new KernelEmitter(kernel, this, new Fn(signature));
    const product = emitter();
    product.packed = side;
    const target = this.short({ signature, body: product.emit(schedule) });
    return { target, pack: this.short({ signature, body: emitter().emitPack(schedule, side) }) };
  }

  /** Functions that nothing has called yet, like ones together. Their numbers, in the order given. */
  add(functions: readonly Written[]): number[] {
    const targets = functions.map(() => 0);
    for (const k of neighbours(functions.map((f) => f.body.code.take()))) {
      const { signature, body } = functions[k]!;
      targets[k] = this.builder.declare(signature);
      this.builder.define(targets[k], body);
    }
    return targets;
  }

  encode(): Uint8Array<ArrayBuffer> {
    const constants = this.pool?.bytes() ?? new Uint8Array();
    if (constants.length > 0) this.builder.constants(CONSTANTS.start, constants);
    return this.builder.encode();
  }
}
