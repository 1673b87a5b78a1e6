/** `nnc tune`: measures schedules of the WebAssembly target on this machine and keeps what is quicker beside the program. */
import type { Artifact } from '../../compiler/index.ts';
import { choiceText } from '../../compiler/targets/wasm/tuning.ts';
import { writeFile } from '../files.ts';
import type { Io, LookOptions } from '../io.ts';
import { batchBounds, checkedProgram, compiled, openProject, showReports } from '../project.ts';
import { machineKey, tuningPath, tuningText } from '../tune/file.ts';
import { tune as measure, type Tuned } from '../tune/measure.ts';

export interface TuneOptions extends LookOptions {
  readonly only?: string;
  readonly bound?: Readonly<Record<string, number>>;
  readonly const?: Readonly<Record<string, number>>;
  readonly memory?: number | 'least';
  readonly seconds: number;
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
  const found = new Map<string, Tuned>();
  const time = (ms: number): string => (ms >= 1 ? `${ms.toPrecision(3)} ms` : `${(1000 * ms).toPrecision(3)} µs`);
  const tell = (t: Tuned): void => {
    const what = Object.keys(t.choice).length === 0 ? 'as it is' : `${time(t.best)}, ${choiceText(t.choice)}`;
    io.stdout.write(`  ${t.kernel.padEnd(36)} ${time(t.usual).padStart(9)}  ${what}\n`);
  };
  for (const artifact of artifacts.values()) {
    io.stdout.write(
      `${artifact.kind} ${artifact.name}: the usual time of each kernel on one thread, and what is quicker\n`,
    );
    for (const t of measure(artifact, () => io.now(), share(artifact, options.seconds, artifacts.size), tell))
      found.set(t.key, t);
  }
  const out = options.out ?? tuningPath(project.path);
  writeFile(io, out, tuningText([...found.values()], machineKey(), io.date()));
  const better = [...found.values()].filter((t) => Object.keys(t.choice).length > 0).length;
  io.stdout.write(`${better} of ${found.size} kernels are quicker otherwise: ${out}\n`);
  return 0;
}

/** Milliseconds of one race, so that all of them take about as long as asked. */
const share = ({ plan }: Artifact, seconds: number, units: number): number =>
  (1000 * seconds) / (units * Math.max(1, 1.5 * plan.kernels.length));
