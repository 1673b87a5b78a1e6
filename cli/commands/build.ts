/** `nnc build`: models and train blocks as files to import, or printed on the way there. */
import { join } from 'node:path';
import type { Artifact, Target } from '../../compiler/index.ts';
import { memoryOf, parametersOf, recomputed } from '../artifact.ts';
import { headOf, prepareFolder, writeFile } from '../files.ts';
import type { Io, LookOptions } from '../io.ts';
import { formatBytes, refuse } from '../problems.ts';
import { batchBounds, checkedProgram, compiled, openProject, showReports } from '../project.ts';
import { views, type View } from '../views.ts';

export interface BuildOptions extends LookOptions {
  readonly only?: string;
  readonly out?: string;
  readonly target: Target;
  readonly weights?: readonly string[];
  readonly memory?: number | 'least';
  readonly emit: readonly ('ts' | 'js')[];
  readonly bound?: Readonly<Record<string, number>>;
  readonly const?: Readonly<Record<string, number>>;
  readonly gpuBinding?: number;
  readonly gpuCores?: number;
  readonly gpuMatrices?: boolean;
  readonly pack: boolean;
  readonly print?: View;
}

export function build(io: Io, file: string, options: BuildOptions): number {
  const project = openProject(io, file);
  const consts = options.const ?? {};
  const { program, checked } = checkedProgram(project, consts);
  const { artifacts, reports, sources } = compiled(project, {
    ...(options.only === undefined ? {} : { only: options.only }),
    bounds: { ...batchBounds(program), ...options.bound },
    demanded: Object.keys(options.bound ?? {}),
    consts,
    targets: [options.target],
    packed: options.pack,
    ...(options.memory === undefined ? {} : { memory: options.memory }),
    ...(options.weights === undefined ? {} : { weights: options.weights }),
    gpu: {
      ...(options.gpuBinding === undefined
        ? {}
        : { binding: options.gpuBinding, buffer: Math.max(2 ** 28, options.gpuBinding) }),
      ...(options.gpuCores === undefined ? {} : { cores: options.gpuCores }),
    },
    ...(options.gpuMatrices === undefined ? {} : { matrices: options.gpuMatrices }),
    // To look at, any bound will do.
    ...(options.print === undefined ? {} : { otherwise: 64 }),
  });
  showReports(io, reports, sources, options);
  if (options.print !== undefined) {
    const view = views[options.print];
    for (const artifact of artifacts.values())
      io.stdout.write(`${view({ artifact, sources, program, checked }).trimEnd()}\n`);
    return 0;
  }
  const out = options.out ?? 'nnc-out';
  prepareFolder(io, out);
  for (const artifact of artifacts.values()) keepOthers(io, join(out, `${artifact.name}.js`), options.target);
  for (const artifact of artifacts.values()) {
    const written: string[] = [];
    for (const [name, content] of filesOf(artifact, options)) {
      writeFile(io, join(out, name), content);
      written.push(`  ${join(out, name)}  ${formatBytes(Buffer.byteLength(content))}`);
    }
    io.stdout.write(`${summary(artifact)}\n${written.join('\n')}\n`);
  }
  return 0;
}

/** What the first line of an emitted module says it is for. */
function targetOf(head: string): string | null {
  const [line = ''] = head.split('\n');
  if (!line.includes('compiled by nnc')) return null;
  return /WebAssembly/.test(line) ? 'wasm' : /WebGPU/.test(line) ? 'wgsl' : 'ts';
}

/** Modules of all targets bear the same name: one does not silently take another's place. */
function keepOthers(io: Io, path: string, target: string): void {
  const head = headOf(io, path);
  const was = head === null ? null : targetOf(head);
  if (was !== null && was !== target && target !== 'auto') refuse('NN945', { path, was, target });
}

function filesOf({ name, modules, plan }: Artifact, { target, emit }: BuildOptions): [string, string][] {
  const { typescript, javascript, declarations, sourceMap } = modules.get(target)!;
  const files: [string, string][] = [];
  if (emit.includes('ts') && typescript !== null) files.push([`${name}.ts`, typescript]);
  if (emit.includes('js') || typescript === null) {
    const map = sourceMap === null ? '' : `//# sourceMappingURL=${name}.js.map\n`;
    files.push([`${name}.js`, `${javascript.trimEnd()}\n${map}`]);
    if (sourceMap !== null) files.push([`${name}.js.map`, sourceMap.javascript]);
    files.push([`${name}.d.ts`, declarations]);
  }
  files.push([`${name}.plan.json`, `${JSON.stringify(plan, null, 1)}\n`]);
  return files;
}

function summary(artifact: Artifact): string {
  const { name, kind, plan } = artifact;
  const bounds = plan.sizes.map((size) => `${size.name} <= ${size.bound}`).join(', ');
  const { persistent, work } = plan.arenas;
  const parts = [
    `${parametersOf(plan).toLocaleString('en-US')} parameters`,
    `${formatBytes(memoryOf(plan))} of memory (${formatBytes(persistent)} kept, ${formatBytes(work)} to work in)`,
    `${plan.kernels.length} kernels`,
    ...recomputed(artifact),
    ...(bounds === '' ? [] : [bounds]),
  ];
  return `${kind} ${name}: ${parts.join('; ')}`;
}
