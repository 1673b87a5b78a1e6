/**
 * A program: the modules of one compilation and what every top-level name in them means. Names only; no sizes, no types.
 *
 * The standard library is one module scope visible everywhere without import. A module's own declarations may not hide each other, but hide
 * imported and library names.
 */
import type {
  Callable,
  CheckpointDeclaration,
  ConstDeclaration,
  Declaration,
  Module,
  TrainDeclaration,
} from '../../grammar/ast.ts';
import { parse } from '../../grammar/parse.ts';
import type { Problem } from '../diagnostics/problem.ts';
import { problem } from '../diagnostics/problem.ts';
import { Sources } from '../source/source.ts';

export type NamedDeclaration = Callable | ConstDeclaration | TrainDeclaration;

/** What a top-level name means: a declaration and the module whose scope its body sees. */
export interface Definition {
  readonly declaration: NamedDeclaration;
  readonly module: ProgramModule;
}

export interface ProgramModule {
  readonly path: string;
  readonly ast: Module;
  readonly library: boolean;
  /** Own declarations and imports, by name as seen here. */
  readonly names: Map<string, Definition>;
  readonly checkpoints: readonly CheckpointDeclaration[];
}

export interface Program {
  readonly sources: Sources;
  readonly entry: ProgramModule;
  /** In order of loading: library modules first. */
  readonly modules: readonly ProgramModule[];
  readonly library: ReadonlyMap<string, Definition>;
}

export interface Host {
  /** The text of a module, or null if there is none. Paths are as `resolve` makes them. */
  readonly read: (path: string) => string | null;
}

/** `./encoder.nn` as written in `models/main.nn` → `models/encoder.nn`. Pure text. */
export function resolvePath(from: string, target: string): string {
  const parts = from.split('/').slice(0, -1);
  for (const part of target.split('/')) {
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

const isNamed = (d: Declaration): d is NamedDeclaration =>
  d.kind !== 'import' && d.kind !== 'bad' && d.kind !== 'checkpoint';

/** Looks a name up where a module's text stands. */
export function lookup(program: Program, module: ProgramModule, name: string): Definition | null {
  return module.names.get(name) ?? program.library.get(name) ?? null;
}

const libraryTrees = new Map<number, { readonly text: string; readonly result: ReturnType<typeof parse> }>();

/** The library comes first and so has the same file numbers each time: its trees are kept between loads. */
function parsedLibrary(id: number, text: string): ReturnType<typeof parse> {
  const known = libraryTrees.get(id);
  if (known !== undefined && known.text === text) return known.result;
  const result = parse({ id, text });
  libraryTrees.set(id, { text, result });
  return result;
}

/** The module with other values for some of its consts. */
function overridden(module: Module, consts: Readonly<Record<string, number>>): Module {
  const declarations = module.declarations.map((d): Declaration => {
    if (d.kind !== 'const') return d;
    const value = consts[d.name.text];
    if (value === undefined) return d;
    const { span } = d.value;
    return { ...d, value: { kind: 'number', value, text: String(value), integer: Number.isInteger(value), span } };
  });
  return { ...module, declarations };
}

/**
 * Parses the entry, everything it imports, and the library. Never throws; import cycles are allowed (declarations are global),
 * missing files and names are problems at the import.
 */
export function loadProgram(
  path: string,
  text: string,
  host: Host,
  library: Readonly<Record<string, string>>,
  consts: Readonly<Record<string, number>> = {},
): { readonly program: Program; readonly problems: readonly Problem[] } {
  const sources = new Sources();
  const problems: Problem[] = [];
  const modules: ProgramModule[] = [];
  const byPath = new Map<string, ProgramModule>();
  const libraryNames = new Map<string, Definition>();

  const add = (modulePath: string, source: string, isLibrary: boolean): ProgramModule => {
    const file = sources.add(modulePath, source, isLibrary);
    const parsed = isLibrary ? parsedLibrary(file.id, source) : parse({ id: file.id, text: source });
    for (const p of parsed.problems) problems.push(p as unknown as Problem);
    const module: ProgramModule = {
      path: modulePath,
      ast: isLibrary || path !== modulePath ? parsed.module : overridden(parsed.module, consts),
      library: isLibrary,
      names: new Map(),
      checkpoints: parsed.module.declarations.filter((d) => d.kind === 'checkpoint'),
    };
    modules.push(module);
    byPath.set(modulePath, module);
    for (const declaration of module.ast.declarations) {
      if (!isNamed(declaration)) continue;
      const earlier = module.names.get(declaration.name.text);
      if (earlier !== undefined) {
        problems.push(
          problem('NN701', declaration.name.span, {
            name: declaration.name.text,
            first: earlier.declaration.name.span,
          }),
        );
        continue;
      }
      module.names.set(declaration.name.text, { declaration, module });
    }
    return module;
  };

  for (const [name, source] of Object.entries(library)) {
    const module = add(`nnc:${name}`, source, true);
    for (const [key, definition] of module.names) libraryNames.set(key, definition);
  }

  const entry = add(path, text, false);
  for (let k = modules.indexOf(entry); k < modules.length; k++) {
    const module = modules[k]!;
    for (const declaration of module.ast.declarations) {
      if (declaration.kind !== 'import') continue;
      const target = resolvePath(module.path, declaration.from);
      let imported = byPath.get(target);
      if (imported === undefined) {
        const source = host.read(target);
        if (source === null) {
          problems.push(problem('NN702', declaration.fromSpan, { path: target }));
          continue;
        }
        imported = add(target, source, false);
      }
      for (const { name, as } of declaration.names) {
        const definition = imported.names.get(name.text);
        if (definition === undefined) {
          problems.push(
            problem('NN703', name.span, { name: name.text, path: target, known: [...imported.names.keys()] }),
          );
          continue;
        }
        const local = (as ?? name).text;
        const own = module.names.get(local);
        if (own !== undefined)
          problems.push(problem('NN701', (as ?? name).span, { name: local, first: own.declaration.name.span }));
        else module.names.set(local, definition);
      }
    }
  }
  return { program: { sources, entry, modules, library: libraryNames }, problems };
}
