/**
 * One ES module that computes on whatever there is: the modules of the other targets, each as a function that is called only where it is wanted, and a class over
 * them with the calls of the WebGPU target. It has no imports either, so it is as good in a page as from a file or a blob.
 */
import type { Plan } from '../../../runtime/plan.ts';
import { declarationLines } from '../wgsl/class.ts';
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
const ERROR = /^(?:export )?class NncError extends Error \{[\s\S]*?^\}\n/m;

function inside(name: string, target: string, code: Builds[keyof Builds]): string {
  if (typeof code !== 'string')
    return `async function ${target}Build() {\n  throw new NncError('NN543', null, ${JSON.stringify(code.refusal)});\n}\n`;
  const body = code.replace(ERROR, '').replace(/^export /gm, '');
  if (body === code) throw new Error(`the module for ${target} has no NncError`);
  // Text is left as it is: indenting would change template literals.
  return `async function ${target}Build() {\n${body.trimEnd()}\nreturn ${name};\n}\n`;
}

export function emitAuto(plan: Plan, builds: Builds): { readonly code: string; readonly declarations: string } {
  const { name } = plan;
  const code = [
    `// ${name}, compiled by nnc for WebGPU, WebAssembly and JavaScript: whichever there is first. What each does, the class ${name}, and what they share.`,
    '',
    ...Object.entries(builds).map(([target, text]: [string, Builds[keyof Builds]]) => inside(name, target, text)),
    'const builds = { wgsl: wgslBuild, wasm: wasmBuild, ts: tsBuild };',
    '',
    autoText.javascript.trimEnd(),
    '',
    `export class ${name} extends Automatic {`,
    `  static async create(options = {}) {`,
    `    return new ${name}(builds, options, await Automatic.choose('${name}', builds, options));`,
    '  }',
    '}',
    '',
  ].join('\n');
  const own = declarationLines(plan)
    .filter((line) => !line.includes('static readonly plan') && !line.includes('Inputs, sizes and leaves as data'))
    .map((line) => line.replace('options?: GpuCreateOptions', 'options?: AutoOptions'));
  const end = own.lastIndexOf('}');
  own.splice(
    end,
    0,
    '  /** What computes. */',
    '  get target(): AutoTarget;',
    '  /** Why the targets before it do not. */',
    '  get tried(): readonly Refusal[];',
    '  /** After a lost device: opens another, or computes on what is left, and goes on from a checkpoint. */',
    '  recover(checkpoint: Checkpoint): Promise<void>;',
  );
  return { code, declarations: [...own, '', autoText.declarations, webgpuText.declarations].join('\n') };
}
