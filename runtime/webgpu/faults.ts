/**
 * What goes wrong on the device while a program runs, as a report with a place in the source. WebGPU tells such errors later, in its own words, and to no call in
 * particular: they are kept until the next call, and a refused kernel is looked for by recording each dispatch by itself.
 *
 * Not here: errors of setting up, which belong to the call that sets up (machine.ts, pipelines.ts).
 */
import { NncError } from '../errors.ts';
import type { Plan } from '../plan.ts';
import type { GpuDevice, GpuError } from './api.ts';
import type { GpuOrigins } from './table.ts';

const amount = (bytes: number): string =>
  bytes < 2 ** 20
    ? `${Math.ceil(bytes / 1024)} KiB`
    : bytes < 2 ** 30
      ? `${(bytes / 2 ** 20).toFixed(1)} MiB`
      : `${(bytes / 2 ** 30).toFixed(2)} GiB`;

/** What the device says, but for the places in its own source. */
const words = ({ message }: { readonly message: string }): string => message.replace(/\n\s+at .*/g, '').trim();

export class GpuFaults {
  private readonly plan: Plan;
  private readonly origins: GpuOrigins;
  private readonly device: GpuDevice;
  /** Titles of the kernels that the device refuses in a program. */
  private readonly search: (program: string) => Promise<readonly string[]>;
  private failure: NncError | null = null;
  private searching: Promise<void> | null = null;
  /** What was submitted last. */
  program = '';
  step = 0;

  constructor(
    plan: Plan,
    origins: GpuOrigins,
    device: GpuDevice,
    search: (program: string) => Promise<readonly string[]>,
  ) {
    this.plan = plan;
    this.origins = origins;
    this.device = device;
    this.search = search;
    const before = device.onuncapturederror;
    device.onuncapturederror = (event) => {
      // A device that was given may have other work, with errors of its own.
      const own = event.error.message.includes(`"${plan.name}`);
      if (own || before === null) this.note(event.error);
      before?.(event);
    };
    void device.lost.then(({ reason, message }) => {
      const why = `${reason ?? 'unknown'}${message === '' ? '' : `: ${message.trim()}`}`;
      this.failure = new NncError('NN542', null, [
        `The GPU device was lost (${why}). ${this.doing()} Call recover with the last checkpoint, or create ${plan.name} anew and restore it there.`,
      ]);
    });
  }

  /** `It was last given step 7 of Fit (digits.nn:12:3).` */
  private doing(): string {
    const { plan, program, step } = this;
    if (program === '') return 'It had been given nothing yet.';
    const place = this.placeOf(program);
    const what = program === 'step' ? `step ${step} of ${plan.name}` : `${plan.name}.${program}`;
    return `It was last given ${what}${place === null ? '' : ` (${place})`}.`;
  }

  private placeOf(program: string): string | null {
    return this.origins.places[this.origins.programs[program] ?? -1] ?? null;
  }

  /** Keeps an error that belongs to no call. */
  note(error: GpuError): void {
    if (this.failure !== null) return;
    const name = Object.keys(this.plan.programs).find((p) => error.message.includes(`"${this.plan.name}.${p}"`));
    const place = name === undefined ? null : this.placeOf(name);
    const title = name === undefined ? this.plan.name : `${this.plan.name}.${name}`;
    const memory = error.constructor.name === 'GPUOutOfMemoryError';
    const code = memory ? 'NN545' : 'NN544';
    const begin = memory ? 'The GPU has no memory left for' : 'The GPU refused';
    const end = `${title}${place === null ? '' : ` (${place})`}: ${words(error)}`;
    const failure = new NncError(code, null, [`${begin} ${end}`]);
    this.failure = failure;
    if (name === undefined || memory) return;
    this.searching = this.search(name).then((guilty) => {
      if (this.failure === failure && guilty.length > 0)
        this.failure = new NncError(code, null, [`The GPU refused ${guilty.join(', ')} of ${end}`]);
    });
  }

  /** Throws what has gone wrong since the last call. */
  check(): void {
    if (this.failure !== null) throw this.failure;
  }

  /** The same, once it is known which kernel it was. */
  async checked(): Promise<void> {
    await this.searching;
    this.check();
  }

  /** Waits for errors that are already under way, and throws what there is. */
  async settled(): Promise<void> {
    await this.device.queue.onSubmittedWorkDone();
    await this.checked();
  }

  /** There is no memory for the program: how much it needs, and what for. */
  outOfMemory(error: { readonly message: string }): NncError {
    const { plan, origins } = this;
    const { persistent, work } = plan.arenas;
    const largest = plan.buffers
      .map((b, k) => ({ bytes: b.bytes, name: b.leaf ?? b.name, place: origins.places[origins.buffers[k] ?? -1] }))
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, 3)
      .map(({ bytes, name, place }) => `${name}, ${amount(bytes)}${place === undefined ? '' : ` (${place})`}`);
    return new NncError('NN545', null, [
      `${plan.name} needs ${amount(persistent)} + ${amount(work)} on the GPU (what stays, and what a call works in), and has not got them: ${words(error)}`,
      `The largest tensors: ${largest.join('; ')}.`,
    ]);
  }

  /** There is no memory to read results into. */
  noRoom(bytes: number, buffers: readonly number[], error: { readonly message: string }): NncError {
    const { plan, origins } = this;
    const names = buffers.map((k) => {
      const place = origins.places[origins.buffers[k] ?? -1];
      return `${plan.buffers[k]!.leaf ?? plan.buffers[k]!.name}${place === undefined ? '' : ` (${place})`}`;
    });
    const shown = names.length > 4 ? [...names.slice(0, 3), `${names.length - 3} more`] : names;
    return new NncError('NN545', null, [
      `The GPU has no memory left to read ${shown.join(', ')} back into, ${amount(bytes)}: ${words(error)}`,
    ]);
  }
}
