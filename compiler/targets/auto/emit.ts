/**
 * One ES module that computes on whatever there is: the modules of the other targets, each as a function that is called only where it is wanted, and a class over
 * them with the calls of the WebGPU target. It has no imports either, so it is as good in a page as from a file or a blob.
 */
import type { Plan } from '../../../runtime/plan.ts';
import { declarationLines } from '../wgsl/class.ts';
import { declared, MODULE_NAMES, named, unexported } from '../named.ts';
import { webgpuText } from '../wgsl/runtime.generated.ts';
import { autoText } from './runtime.generated.ts';

/** Each target's JavaScript. */
export interface Builds {
  /** Or why there is none. */
  readonly wgsl: string | { readonly refusal: readonly string[] };
  readonly wasm: string;
  readonly ts: string;
}

/** The one class that all three have in common: an error is an NncError whoever throws it. */
const ERROR = /(?:export )?class NncError extends Error ?\{[\s\S]*?(?:^\}\n|\}\})/m;

function inside(name: string, target: string, code: Builds[keyof Builds]): string {
  if (typeof code !== 'string')
    return `async function ${target}Build() {\n  throw new NncError('NN543', null, ${JSON.stringify(code.refusal)});\n}\n`;
  if (!ERROR.test(code)) throw new Error(`the module for ${target} has no NncError`);
  const body = unexported(name, code.replace(ERROR, ''));
  // Text is left as it is: indenting would change template literals.
  return `async function ${target}Build() {\n${body.code.trimEnd()}\nreturn ${body.own};\n}\n`;
}

export function emitAuto(plan: Plan, builds: Builds): { readonly code: string; readonly declarations: string } {
  const { name } = plan;
  const taken = [...MODULE_NAMES, ...Object.keys(builds).map((target) => `${target}Build`)];
  const made = named(name, autoText.javascript.trimEnd(), taken, (own) => [
    `export class ${own} extends Automatic {`,
    `  static async create(options = {}) {`,
    `    return new ${own}(builds, options, await Automatic.choose('${name}', builds, options));`,
    '  }',
    '}',
  ]);
  const code = [
    `// ${name}, compiled by nnc for WebGPU, WebAssembly and JavaScript: whichever there is first. What each does, the class ${name}, and what they share.`,
    '',
    ...Object.entries(builds).map(([target, text]: [string, Builds[keyof Builds]]) => inside(name, target, text)),
    'const builds = { wgsl: wgslBuild, wasm: wasmBuild, ts: tsBuild };',
    '',
    made.others,
    '',
    ...made.lines,
    '',
  ].join('\n');
  const more = [
    '  /** What computes. */',
    '  get target(): AutoTarget;',
    '  /** Why the targets before it do not. */',
    '  get tried(): readonly Refusal[];',
    '  /** After a lost device: opens another, or computes on what is left, and goes on from a checkpoint. */',
    '  recover(checkpoint: Checkpoint): Promise<void>;',
  ];
  const declarations = declared(plan, [autoText.declarations, webgpuText.declarations].join('\n'), (shown) => {
    const lines = declarationLines(shown)
      .filter((line) => !line.includes('static readonly plan') && !line.includes('Inputs, sizes and leaves as data'))
      .map((line) => line.replace('options?: GpuCreateOptions', 'options?: AutoOptions'));
    return lines.toSpliced(lines.lastIndexOf('}'), 0, ...more);
  });
  return { code, declarations };
}
