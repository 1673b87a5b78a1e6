/**
 * Writes the runtime's text for WebGPU modules (`compiler/targets/wgsl/runtime.generated.ts`), as embed.ts does for the others. Run it after a change in
 * `runtime/`, or `npx vitest run -u test/targets/wgsl/embed.test.ts`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const PUBLIC = new Set([
  ...['NncError', 'NncErrorCode', 'Weights', 'WeightTensor', 'Checkpoint', 'CreateOptions', 'GpuCreateOptions'],
  ...[
    'GpuOptions',
    'Result',
    'View',
    'Plan',
    'PlanDType',
    'GpuLike',
    'GpuDevice',
    'AutoTarget',
    'AutoOptions',
    'Refusal',
  ],
]);

/** Declarations that stand in files of which the rest is the CPU's. */
const PARTS: readonly (readonly [file: string, names: readonly string[] | null])[] = [
  ['plan.ts', null],
  ['errors.ts', null],
  ['memory.ts', ['View', 'toHalf']],
  ['store.ts', ['Quantised']],
  ['weights.ts', ['WeightTensor', 'Weights', 'Checkpoint', 'CreateOptions']],
  ['webgpu/api.ts', null],
  ['webgpu/table.ts', null],
  ['webgpu/sizes.ts', null],
  ['webgpu/halves.ts', null],
  ['webgpu/matrix.ts', null],
  ['webgpu/device.ts', null],
  ['webgpu/pipelines.ts', null],
  ['webgpu/faults.ts', null],
  ['webgpu/gates.ts', null],
  ['webgpu/reading.ts', null],
  ['webgpu/listing.ts', null],
  ['webgpu/machine.ts', null],
  ['webgpu/weights.ts', null],
];

/** What a module has beside, where its plan stores parameters in fewer bytes. */
const STORED: typeof PARTS = [
  ['half.ts', ['f16Bits', 'wordView', 'floatView', 'halfValue']],
  ['store.ts', ['most', 'nearest', 'quantise', 'dequantise', 'storable', 'storedProblem']],
  ['webgpu/stored.ts', null],
];

/** Top-level declarations of a file without imports, all or the named ones; `export` only where users need it. */
function declarations(
  text: string,
  names: readonly string[] | null,
): { name: string; text: string; isType: boolean }[] {
  const file = ts.createSourceFile('runtime.ts', text, ts.ScriptTarget.ES2022, true);
  return file.statements.flatMap((node) => {
    if (ts.isImportDeclaration(node)) return [];
    const named = ts.isVariableStatement(node)
      ? node.declarationList.declarations[0]!
      : (node as ts.DeclarationStatement);
    const name = named.name?.getText(file) ?? '';
    if (names !== null && !names.includes(name)) return [];
    const docs = ts.getJSDocCommentsAndTags(node).map((d) => `${d.getText(file)}\n`);
    const own = node.getText(file);
    const body = PUBLIC.has(name) ? own : own.replace(/^export /, '');
    const isType = ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node);
    return [{ name, text: `${docs.join('')}${body}`, isType }];
  });
}

export function webgpuRuntime(root: string): string {
  const read = (parts: typeof PARTS) =>
    parts.flatMap(([file, names]) => declarations(readFileSync(join(root, 'runtime', file), 'utf8'), names));
  const inJavascript = (text: string): string =>
    ts.transpileModule(text, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
    }).outputText;
  const textOf = (parts: readonly { readonly text: string }[]): string => `${parts.map((d) => d.text).join('\n\n')}\n`;
  const all = read(PARTS);
  const typescript = textOf(all);
  const javascript = inJavascript(typescript);
  const store = textOf(read(STORED));
  const types = all.filter(
    (d) =>
      d.isType &&
      !/^(?:Dispatch|Call|MergedCall|Entry|Listed|Extents|Reading|Staging|Part|Place|Wanted|Needs|Layout|LoopStep|GpuKernel|GpuStore|Quantised|GpuProgramTable|GpuHalves|GpuMergedCalls|GpuOrigins|GpuCompiledLimits|Env|Inputs|GivenSizes)$/.test(
        d.name,
      ),
  );
  const declared = [
    ...types.map((d) => d.text),
    'export declare class NncError extends Error {\n  readonly code: NncErrorCode;\n  readonly input: string | null;\n  readonly problems: readonly string[];\n}',
  ].join('\n\n');
  return `// Written by scripts/embed-webgpu.ts. Do not edit: change the files that it copies, and run it again.

/** The WebGPU runtime's text: as TypeScript, as JavaScript, and the types that a JavaScript module's declarations need. */
export const webgpuText = {
  typescript: ${JSON.stringify(typescript)},
  javascript: ${JSON.stringify(javascript)},
  declarations: ${JSON.stringify(`${declared}\n`)},
  /** Behind it, where parameters are stored in fewer bytes. */
  store: {
    typescript: ${JSON.stringify(store)},
    javascript: ${JSON.stringify(inJavascript(store))},
  },
} as const;
`;
}

/** The text of runtime/auto.ts, with the error that all targets share. */
export function autoRuntime(root: string): string {
  const read = (file: string): string => readFileSync(join(root, 'runtime', file), 'utf8');
  const own = declarations(read('auto.ts'), null);
  const typescript = [...declarations(read('errors.ts'), null), ...own].map((d) => d.text).join('\n\n');
  const javascript = ts.transpileModule(typescript, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
  }).outputText;
  const declared = own.filter((d) => ['AutoTarget', 'AutoOptions', 'Refusal'].includes(d.name)).map((d) => d.text);
  return `// Written by scripts/embed-webgpu.ts. Do not edit: change the files that it copies, and run it again.

/** What a module for all targets has of its own: as JavaScript, and the types that its declarations need. */
export const autoText = {
  javascript: ${JSON.stringify(javascript)},
  declarations: ${JSON.stringify(`${declared.join('\n\n')}\n`)},
} as const;
`;
}

export const AUTO_RUNTIME = 'compiler/targets/auto/runtime.generated.ts';
export const WEBGPU_RUNTIME = 'compiler/targets/wgsl/runtime.generated.ts';

const here = fileURLToPath(import.meta.url);
if (/embed-webgpu\.[jt]s$/.test(here) && process.argv[1] !== undefined && resolve(process.argv[1]) === here) {
  const root = resolve(here, here.endsWith('.ts') ? '../..' : '../../..');
  writeFileSync(join(root, WEBGPU_RUNTIME), webgpuRuntime(root));
  writeFileSync(join(root, AUTO_RUNTIME), autoRuntime(root));
}
