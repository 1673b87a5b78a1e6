/** Emitted TypeScript passes `tsc --strict` without any WebGPU type package, and so do the declarations beside JavaScript. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { compile } from '../../../compiler/index.ts';
import { emitWgsl } from '../../../compiler/targets/wgsl/emit.ts';

const root = join(import.meta.dirname, '../../..');

function problems(files: Readonly<Record<string, string>>): string[] {
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    noUncheckedIndexedAccess: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2022.d.ts'],
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, version, ...rest) =>
    files[name] === undefined ? read(name, version, ...rest) : ts.createSourceFile(name, files[name], version);
  const exists = host.fileExists.bind(host);
  host.fileExists = (name) => files[name] !== undefined || exists(name);
  const program = ts.createProgram(Object.keys(files), options, host);
  return ts.getPreEmitDiagnostics(program).map((d) => ts.flattenDiagnosticMessageText(d.messageText, '\n'));
}

it('passes tsc --strict', () => {
  const text = readFileSync(join(root, 'examples/digits.nn'), 'utf8');
  const result = compile(text, { path: 'digits.nn', bounds: { B: 8 } });
  const files: Record<string, string> = {};
  for (const [name, { unit, plan, kernels, schedules, origins }] of result.artifacts) {
    const where = { origins, sources: result.sources };
    files[`/${name}.ts`] = emitWgsl(unit, plan, kernels, schedules, { types: true, ...where }).code;
    files[`/${name}Js.d.ts`] = emitWgsl(unit, plan, kernels, schedules, { types: false, ...where }).declarations;
  }
  files['/use.ts'] = `
import { Fit } from './Fit';
import { Digits } from './DigitsJs';
export async function train(): Promise<number> {
  const fit = await Fit.create({ seed: 1 });
  fit.enqueue({ image: new Float32Array(64), label: new Int32Array(1) });
  const { loss } = await fit.step({ image: new Float32Array(64), label: new Int32Array(1) });
  const net = await Digits.create({ weights: await fit.weights() });
  const results = await net.forward({ image: new Float32Array(64) });
  return loss + Object.keys(results).length;
}
`;
  expect(problems(files)).toEqual([]);
});
