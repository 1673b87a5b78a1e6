/** `nnc tune`: measures schedules of the WebAssembly target on this machine and keeps what is quicker beside the program. */
import { availableParallelism } from 'node:os';
import type { Artifact } from '../../compiler/index.ts';
import { choiceText } from '../../compiler/targets/wasm/tuning.ts';
import { writeFile } from '../files.ts';
import type { Io, LookOptions } from '../io.ts';
import { batchBounds, checkedProgram, compiled, openProject, showReports } from '../project.ts';
import { machineKey, tuningPath, tuningText, type TunedOf } from '../tune/file.ts';
import { tune as measure, type Tuned } from '../tune/measure.ts';

export interface TuneOptions extends LookOptions {
  readonly only?: string;
  readonly bound?: Readonly<Record<string, number>>;
  readonly const?: Readonly<Record<string, number>>;
  readonly memory?: number | 'least';
  readonly seconds: number;
  /** That modules will be run with. */
  readonly threads: number | 'auto';
  readonly out?: string;
}

export function tune(io: Io, file: string, options: TuneOptions): number {
  const project = openProject(io, file);
  const consts = options.const ?? {};
  const { program } = checkedProgram(project, consts);
  const { artifacts, reports, sources } = compiled(project, {
    ...(options.only === undefined ? {} : { only: options.only }),
    bounds: { ...batchBounds(program), ...options.bound },
    demanded: Object.keys(options.bound ?? {}),
    consts,
    ...(options.memory === undefined ? {} : { memory: options.memory }),
    tuned: false,
    otherwise: 64,
  });
  showReports(io, reports, sources, options);
  const threads = options.threads === 'auto' ? availableParallelism() : options.threads;
  const found = new Map<string, TunedOf>();
  const time = (ms: number): string => (ms >= 1 ? `${ms.toPrecision(3)} ms` : `${(1000 * ms).toPrecision(3)} µs`);
  const tell = (t: Tuned): void => {
    const what = Object.keys(t.choice).length === 0 ? 'as it is' : `${time(t.best)}, ${choiceText(t.choice)}`;
    io.stdout.write(`  ${t.kernel.padEnd(36)} ${time(t.usual).padStart(9)}  ${what}\n`);
  };
  for (const artifact of artifacts.values()) {
    const on = threads === 1 ? 'on one thread' : `on ${threads} threads, by the longest part`;
    io.stdout.write(`${artifact.kind} ${artifact.name}: the usual time of each kernel ${on}, and what is quicker\n`);
    const milliseconds = share(artifact, options.seconds, artifacts.size);
    for (const t of measure(artifact, { clock: () => io.now(), milliseconds, threads, told: tell })) {
      const units = [...(found.get(t.key)?.units ?? []), artifact.name];
      found.set(t.key, { ...t, units });
    }
  }
  const out = options.out ?? tuningPath(project.path);
  writeFile(io, out, tuningText([...found.values()], { machine: machineKey(), date: io.date(), threads }));
  const better = [...found.values()].filter((t) => Object.keys(t.choice).length > 0).length;
  io.stdout.write(`${better} of ${found.size} kernels are quicker otherwise: ${out}\n`);
  return 0;
}

/** Milliseconds of one race, so that all of them take about as long as asked. */
const share = ({ plan }: Artifact, seconds: number, units: number): number =>
  (1000 * seconds) / (units * Math.max(1, 1.5 * plan.kernels.length));
