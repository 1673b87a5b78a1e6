/**
 * What the class of every module of WebAssembly has beside its programs, which are methods that `call` and put what is there into an object of their own (which must have
 * its fields from the start: a step leaves nothing on the heap). A TypeScript module's class writes it all out, for people to read.
 */
import type { GivenSizes, Inputs, Machine, Result } from './execute.ts';
import type { Memory } from './memory.ts';
import {
  begin,
  isWeight,
  putCheckpoint,
  putLeaves,
  takeCheckpoint,
  takeLeaves,
  type Checkpoint,
  type CreateOptions,
  type Weights,
} from './weights.ts';

export class Unit {
  readonly machine: Machine;
  readonly carries: Weights;

  constructor(machine: Machine, options: CreateOptions) {
    this.machine = machine;
    this.carries = begin(machine, options);
  }

  /** Runs a program; where its results are. */
  call(name: string, inputs: Inputs, sizes: GivenSizes | undefined): Memory['views'] {
    this.machine.run(name, inputs, sizes);
    return this.machine.memory.views;
  }

  tensor(buffer: number, copy?: boolean): Result {
    return copy ? this.machine.copied(buffer) : this.machine.result(buffer);
  }

  weights(): Weights {
    return takeLeaves(this.machine, isWeight);
  }

  load(weights: Weights): void {
    putLeaves(this.machine, weights, isWeight);
  }

  checkpoint(): Checkpoint {
    return takeCheckpoint(this.machine);
  }

  restore(checkpoint: Checkpoint): void {
    putCheckpoint(this.machine, checkpoint);
  }

  close(): void {
    this.machine.memory.close?.();
  }
}
