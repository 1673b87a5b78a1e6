/**
 * Writes what the compiler carries inside itself, since it reads no files: the runtime's text for emitted modules
 * (`compiler/targets/ts/runtime.generated.ts`) and the library's sources (`compiler/library.generated.ts`).
 *
 * Run it after a change in `runtime/` or `library/` (Node 22.18 or later runs TypeScript; or `npx vitest run -u test/targets/embed.test.ts`, the
 * test that compares). `embedded(root)` gives the texts without writing.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { minifySync } from 'rolldown/utils';
import ts from 'typescript';
import { parse } from '../grammar/parse.ts';
import { pieces } from '../grammar/pieces.ts';

/** Without imports, so that several modules can stand in one. */
const withoutImports = (text: string): string => text.replace(/^import [^;]*;\n/gm, '');
/** Without `export`, but for what users of an emitted module need. */
const inner = (text: string): string =>
  text.replace(/^export (?=(?:interface|type|class|function|const) (\w+))/gm, (all, name: string) =>
    PUBLIC.has(name) ? all : '',
  );
const PUBLIC = new Set([
  ...['NncError', 'NncErrorCode', 'Weights', 'WeightTensor', 'Checkpoint', 'CreateOptions', 'Result', 'View'],
  ...['Plan', 'PlanDType'],
]);

function javascript(text: string): string {
  return ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      removeComments: false,
      verbatimModuleSyntax: true,
    },
  }).outputText;
}

/** As short as it gets. What other texts refer to keeps its name. Fields without a value are not declared. */
function compact(text: string): string {
  const { code, errors } = minifySync('runtime.js', text, {
    module: true,
    compress: { target: 'es2022', unused: false },
    mangle: { toplevel: false },
  });
  if (errors.length > 0) throw new Error(errors.map((e) => e.message).join('\n'));
  return code;
}

function compactOf(typescript: string): string {
  const { outputText } = ts.transpileModule(typescript, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      removeComments: true,
      useDefineForClassFields: false,
      verbatimModuleSyntax: true,
    },
  });
  return compact(outputText.replace('"use strict";\n', ''));
}

/** What of the runtime a module can be without, by the functions that change then (runtime/plain.ts has those that stand for them). */
const OPTIONAL = {
  expressions: ['evaluate', 'sizeText'],
  requirements: ['meets'],
  halves: ['toHalf', 'copyIn'],
  stored: ['takeStored', 'storedProblemOf', 'put', 'needsWeights'],
} as const;

/** The types of runtime files alone: interfaces, type aliases, and NncError as a declaration. */
function typesOf(text: string): string {
  const file = ts.createSourceFile('runtime.ts', text, ts.ScriptTarget.ES2022, true);
  const parts: string[] = [];
  for (const node of file.statements) {
    const kept = ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node);
    if (kept) parts.push(node.getFullText(file).trim());
  }
  return parts.join('\n\n');
}

function functionNode(text: string, name: string): string | null {
  const file = ts.createSourceFile('runtime.ts', text, ts.ScriptTarget.ES2022, true);
  const node = file.statements.find((s) => ts.isFunctionDeclaration(s) && s.name?.text === name);
  return node?.getFullText(file) ?? null;
}

function functionText(text: string, name: string): string {
  const found = functionNode(text, name);
  if (found === null) throw new Error(`no function ${name} in the runtime`);
  return `${found.trim()}\n`;
}

const withoutFunctions = (text: string, names: readonly string[]): string =>
  names.reduce((rest, name) => rest.replace(functionText(rest, name).trim(), ''), text);

const HEADER = '// Written by scripts/embed.ts. Do not edit: change the files that it copies, and run it again.\n';

function runtimeModule(root: string): string {
  const read = (name: string): string => readFileSync(resolve(root, 'runtime', name), 'utf8');
  const body = (name: string): string => inner(withoutImports(read(name)));
  const join = (files: readonly string[]): string => files.map((f) => body(f).trim()).join('\n\n');
  const machine = join(['plan.ts', 'errors.ts', 'memory.ts', 'execute.ts', 'steps.ts', 'weights.ts']);
  const scalars = body('scalars.ts');
  const random = ['threefryWord0', 'threefryWord1', 'uniform']
    .map((f) => functionText(inner(read('random.ts')), f))
    .join('\n');
  const typescript = {
    machine: `${machine}\n`,
    threads: body('threads.ts'),
    random,
    store: `${body('half.ts').trim()}\n\n${body('store.ts').trim()}\n`,
    erf: functionText(scalars, 'erf'),
    floorDivide: functionText(scalars, 'floorDivide'),
    modulo: functionText(scalars, 'modulo'),
  };
  const declarations = [
    typesOf(['plan.ts', 'memory.ts', 'weights.ts', 'errors.ts'].map((f) => withoutImports(read(f))).join('\n')),
    typesOf(
      withoutImports(read('execute.ts'))
        .replace(/[\s\S]*?(?=\/\*\* A tensor on the arena)/, '')
        .replace(/\n\/\*\* What runs the programs[\s\S]*/, ''),
    ),
    'export declare class NncError extends Error {\n  readonly code: NncErrorCode;\n  readonly input: string | null;\n  readonly problems: readonly string[];\n}\n',
  ].join('\n\n');
  const used = declarations
    // Types that only the runtime itself needs.
    .replace(/(?:\/\*\*[^/]*\*\/\n)?export interface Memory \{[\s\S]*?\n\}\n\n/, '');
  const quoted = (texts: Record<string, string>): string =>
    Object.entries(texts)
      .map(([key, text]) => `    ${key}: ${JSON.stringify(text)},`)
      .join('\n');
  const js = Object.fromEntries(Object.entries(typescript).map(([key, text]) => [key, javascript(text)]));
  const bare = join(['errors.ts', 'memory.ts', 'execute.ts', 'weights.ts', 'unit.ts']);
  const plain = body('plain.ts');
  const optional = Object.entries(OPTIONAL);
  const pick = (text: string, names: readonly string[]): string =>
    compactOf(names.map((name) => functionNode(text, name) ?? '').join('\n'));
  const short = {
    // A module of WebAssembly allocates on its own memory.
    machine: compactOf(withoutFunctions(bare, ['allocate', 'resetCarries', ...optional.flatMap(([, names]) => names)])),
    ...Object.fromEntries(optional.map(([key, names]) => [key, pick(bare, names)])),
    ...Object.fromEntries(optional.map(([key, names]) => [`without_${key}`, pick(plain, names)])),
    carries: pick(bare, ['resetCarries']),
    steps: compactOf(body('steps.ts')),
    store: compactOf(typescript.store),
    threads: compactOf(typescript.threads),
    packed: compactOf(body('packed.ts')),
  };
  return `${HEADER}
/** The runtime's text: as TypeScript, as JavaScript, in parts and as little JavaScript as it gets (what WebAssembly needs), and the types that a JavaScript module's declarations need. */
export const runtimeText = {
  typescript: {
${quoted(typescript)}
  },
  javascript: {
${quoted(js)}
  },
  compact: {
${quoted(short)}
  },
  declarations: ${JSON.stringify(used)},
} as const;
`;
}

function libraryModule(root: string): string {
  const folder = join(root, 'library');
  const files = existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((f) => f.endsWith('.nn'))
        .sort()
    : [];
  const texts = files.map((f): [string, string] => [
    relative(folder, join(folder, f)).replaceAll('\\', '/'),
    readFileSync(join(folder, f), 'utf8'),
  ]);
  const rows = texts.map(([path, text]) => `  ${JSON.stringify(path)}: ${JSON.stringify(text)},`);
  const contents = texts.map(([path, text]) => `  ${JSON.stringify(path)}: ${JSON.stringify(contentsOf(text))},`);
  return `${HEADER}
/** The standard library: path relative to \`library/\` → text. */
export const library: Readonly<Record<string, string>> = {
${rows.join('\n')}
};

/** Its declarations, in pieces that are parsed when one of their names is asked for: names, first and last offset. */
export const libraryContents: Readonly<Record<string, readonly (readonly [readonly string[], number, number])[]>> = {
${contents.join('\n')}
};
`;
}

/** Pieces with the names that they declare. None for a text with problems: it is parsed as a whole, and they are reported. */
function contentsOf(text: string): [string[], number, number][] {
  const all = pieces(text).map(({ text: piece, offset }) => ({ offset, piece, parsed: parse({ id: 0, text: piece }) }));
  if (all.some((p) => p.parsed.problems.length > 0)) return [];
  return all.map(({ offset, piece, parsed }) => [
    parsed.module.declarations.flatMap((d) => ('name' in d ? [d.name.text] : [])),
    offset,
    offset + piece.length,
  ]);
}

/** Path relative to the repository → text that belongs there. */
export function embedded(root: string): Readonly<Record<string, string>> {
  return {
    'compiler/targets/ts/runtime.generated.ts': runtimeModule(root),
    'compiler/library.generated.ts': libraryModule(root),
  };
}

// Run as a script (also compiled, from dist/): the repository is where it is run.
const started = process.argv[1];
if (started !== undefined && /embed\.[jt]s$/.test(started) && resolve(started) === fileURLToPath(import.meta.url)) {
  const root = process.cwd();
  for (const [path, text] of Object.entries(embedded(root))) writeFileSync(join(root, path), text);
}
