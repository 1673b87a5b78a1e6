/** `nnc profile`: what a program costs, by line of its source and by kernel: time, rates, the share of what the machine can do. */
import { join } from 'node:path';
import type { Artifact } from '../../compiler/index.ts';
import {
  gpuLimits,
  inputsOf,
  recomputed,
  webgpu,
  type Inputs,
  type NodeTarget,
  type Sizes,
  type Values,
} from '../artifact.ts';
import type { GpuLike } from '../../runtime/webgpu/api.ts';
import { profileGpu } from '../profile/gpu.ts';
import { prepareFolder, writeFile } from '../files.ts';
import { wantedByModel, wantedByTrain, type Wanted } from '../inputs.ts';
import type { Io, LookOptions } from '../io.ts';
import { lookOf } from '../io.ts';
import { refuse } from '../problems.ts';
import { profilePage } from '../profile/html.ts';
import { measureMachine } from '../profile/machine.ts';
import { profile as measured, type ProgramChoice } from '../profile/measure.ts';
import { profileText } from '../profile/text.ts';
import {
  batchBounds,
  checkedProgram,
  chooseModel,
  chooseTrain,
  compiled,
  openProject,
  showReports,
} from '../project.ts';
import { evaluateSize } from '../../compiler/plan/sizes.ts';
import { openRunData } from '../train/data.ts';

export interface ProfileOptions extends LookOptions {
  readonly only?: string;
  readonly program?: ProgramChoice;
  readonly target: NodeTarget | 'wgsl';
  readonly gpuMatrices?: boolean;
  readonly memory?: number | 'least';
  readonly bound?: Readonly<Record<string, number>>;
  readonly const?: Readonly<Record<string, number>>;
  readonly data?: readonly string[];
  readonly seconds: number;
  readonly out?: string;
}

export async function profile(io: Io, file: string, options: ProfileOptions): Promise<number> {
  const project = openProject(io, file);
  const consts = options.const ?? {};
  const { program } = checkedProgram(project, consts);
  const blocks = program.entry.ast.declarations.flatMap((d) => (d.kind === 'train' || d.kind === 'model' ? [d] : []));
  const named = blocks.find((d) => d.name.text === options.only);
  const trains = blocks.filter((d) => d.kind === 'train');
  const isTrain = named === undefined ? trains.length > 0 : named.kind === 'train';
  const train = isTrain ? chooseTrain(program, project.path, options.only) : null;
  const model = train === null ? chooseModel(program, project.path, options.only) : null;
  const name = (train ?? model)!.name.text;

  const wanted = train === null ? wantedByModel(program, model!) : wantedByTrain(program, train);
  const data = options.data === undefined ? null : openRunData(io, options.data, wanted);
  const bounds = { ...batchBounds(program), ...options.bound };
  if (data !== null)
    for (const [size, value] of data.sizes)
      bounds[size] = size === wanted.batch?.size ? Math.min(value, bounds[size] ?? 256) : value;
  const { artifacts, reports, sources } = compiled(project, {
    only: name,
    bounds,
    demanded: Object.keys(options.bound ?? {}),
    consts,
    targets: [options.target],
    ...(await gpuLimits(options.target, options.gpuMatrices)),
    ...(options.memory === undefined ? {} : { memory: options.memory }),
  });
  showReports(io, reports, sources, options);
  const artifact = artifacts.get(name)!;
  const choice = options.program ?? (train === null ? 'forward' : 'step');
  if (artifact.plan.programs[choice] === undefined) {
    const known = Object.keys(artifact.plan.programs).filter((p) => p !== 'init');
    refuse('NN936', { unit: name, program: choice, known });
  }

  const sizes = sizesOf(artifact);
  const inputs = data === null ? drawn(artifact, choice, sizes) : firstRows(artifact, choice, data, wanted, sizes);
  const { target, seconds } = options;
  const result =
    target === 'wgsl'
      ? await profileGpu(artifact, await stamping(options.gpuMatrices), choice, inputs, sizes, seconds)
      : {
          profile: await measured(artifact, target, choice, inputs, sizes, seconds),
          machine: await measureMachine(target),
        };
  const shown = {
    title: `${name}.${choice} of ${project.path} on ${options.target}${data === null ? ', drawn inputs' : ''}`,
    ...result,
    origins: artifact.origins,
    sources,
    persistent: artifact.plan.arenas.persistent,
    work: artifact.plan.arenas.work,
    recomputed: recomputed(artifact),
  };
  io.stdout.write(`${profileText(shown, lookOf(io.stdout, io, options).width)}\n`);
  const folder = join('nnc-out', name);
  const out = options.out ?? join(folder, 'profile.html');
  if (options.out === undefined) prepareFolder(io, folder);
  writeFile(io, out, profilePage(shown));
  io.stdout.write(`\npage: ${out}\n`);
  return 0;
}

/** WebGPU with timestamps as they are, where it lets itself be asked for that. */
const stamping = async (matrices: boolean | undefined): Promise<GpuLike | undefined> =>
  (await webgpu(['disable-dawn-features=timestamp_quantization'], matrices)) as GpuLike | undefined;

/** All sizes at their bounds. */
const sizesOf = ({ plan }: Artifact): Sizes => Object.fromEntries(plan.sizes.map(({ name, bound }) => [name, bound]));

/** Numbers that no program minds: floats in [0, 1), indices below their limits, the first steps of counters. */
function drawn({ plan }: Artifact, program: string, sizes: Sizes): Inputs {
  let state = 1;
  const draw = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  const of = (size: string): number => sizes[size] ?? 1;
  const taken = new Set(inputsOf(plan, program));
  return Object.fromEntries(
    plan.inputs
      .filter(({ name }) => taken.has(name))
      .map(({ name, dtype, shape, below }): [string, Values] => {
        const length = shape.reduce<number>((n, e) => n * evaluateSize(e, of), 1);
        if (dtype === 'bool') return [name, Uint8Array.from({ length }, () => (draw() < 0.5 ? 1 : 0))];
        if (dtype !== 'i32') return [name, Float32Array.from({ length }, draw)];
        const limit = below === null ? 1 : evaluateSize(below, of);
        return [name, Int32Array.from({ length }, () => Math.floor(draw() * limit))];
      }),
  );
}

/** As many rows of the data as the program takes at once. */
function firstRows(
  { plan }: Artifact,
  program: string,
  { columns, whole }: ReturnType<typeof openRunData>,
  { batch }: Wanted,
  sizes: Sizes,
): Inputs {
  return Object.fromEntries(
    inputsOf(plan, program).map((name): [string, Values] => {
      const column = columns[name];
      if (column === undefined) return [name, whole[name]!];
      const length = column.shape.reduce((n, extent) => n * extent, 1) * (batch === null ? 1 : sizes[batch.size]!);
      return [name, column.data.slice(0, length)];
    }),
  );
}
