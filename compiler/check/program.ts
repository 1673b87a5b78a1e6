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
import { parse, type ParseResult } from '../../grammar/parse.ts';
import type { Problem } from '../diagnostics/problem.ts';
import { problem } from '../diagnostics/problem.ts';
import { Sources, type SourceFile } from '../source/source.ts';
import { library as standard, libraryContents } from '../library.generated.ts';
import type { Kept } from './kept.ts';
import { knownModule } from './known.ts';
import { nearest } from './scope.ts';

export type NamedDeclaration = Callable | ConstDeclaration | TrainDeclaration;

/** What a top-level name means: a declaration and the module whose scope its body sees. */
export interface Definition {
  readonly declaration: NamedDeclaration;
  readonly module: ProgramModule;
}

export interface ProgramModule {
  readonly path: string;
  /** The number of its text. */
  readonly file: number;
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
  /** What later states of the same texts share with this one; null where there will be none. */
  readonly kept: Kept | null;
  /** Of reading and parsing. */
  readonly problems: readonly Problem[];
  /** Runs `f` on the program with other texts of its own files; what `f` sees is not valid afterwards. */
  readonly again: <T>(change: (file: SourceFile) => string, f: (loaded: Loaded) => T) => T;
}

export interface Loaded {
  readonly program: Program;
  readonly problems: readonly Problem[];
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
  d.kind !== 'import' && d.kind !== 'bad' && d.kind !== 'checkpoint' && d.kind !== 'storage';

/** Looks a name up where a module's text stands. */
export function lookup(program: Program, module: ProgramModule, name: string): Definition | null {
  return module.names.get(name) ?? program.library.get(name) ?? null;
}

interface LoadedModule {
  readonly module: ProgramModule;
  readonly problems: readonly Problem[];
}

/** What paths of library modules begin with. */
const LIBRARY = 'nnc:';

/** A library comes first and so has the same file numbers in every program: its modules are made once. */
const libraries = new WeakMap<Readonly<Record<string, string>>, readonly LoadedModule[]>();

/** The module with other values for some of its consts. */
function overridden(module: Module, consts: Readonly<Record<string, number>>): Module {
  if (Object.keys(consts).length === 0) return module;
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
 * missing files and names are problems at the import. With `kept`, only what changed since its last load is parsed.
 */
export function loadProgram(
  path: string,
  text: string,
  host: Host,
  library: Readonly<Record<string, string>>,
  consts: Readonly<Record<string, number>> = {},
  kept: Kept | null = null,
): Loaded {
  const sources = new Sources();
  const problems: Problem[] = [];
  const modules: ProgramModule[] = [];
  const byPath = new Map<string, ProgramModule>();
  const libraryNames = new Map<string, Definition>();

  const enter = (module: ProgramModule): ProgramModule => {
    modules.push(module);
    byPath.set(module.path, module);
    return module;
  };

  for (const [name, source] of Object.entries(library)) sources.add(`${LIBRARY}${name}`, source, true);
  let loadedLibrary = libraries.get(library);
  if (loadedLibrary === undefined) {
    loadedLibrary = sources.files.map(({ id, path: own, text: source }) => {
      // What is in the standard library is known: of its modules only what a program names is parsed.
      const contents = library === standard ? (libraryContents[own.slice(LIBRARY.length)] ?? []) : [];
      if (contents.length > 0) return { module: knownModule({ id, path: own, text: source }, contents), problems: [] };
      return declared(own, parse({ id, text: source }), true, (declaration, module) => ({ declaration, module }));
    });
    libraries.set(library, loadedLibrary);
  }
  for (const { module, problems: own } of loadedLibrary) {
    enter(module);
    problems.push(...own);
    for (const [key, definition] of module.names) libraryNames.set(key, definition);
  }

  const add = (modulePath: string, source: string): ProgramModule => {
    const { id } = sources.add(modulePath, source);
    const parsed = kept === null ? parse({ id, text: source }) : kept.parse(modulePath, id, source);
    const tree = modulePath === path ? { ...parsed, module: overridden(parsed.module, consts) } : parsed;
    const made = declared(
      modulePath,
      tree as ParseResult,
      false,
      (declaration, module) => kept?.definition(declaration, module) ?? { declaration, module },
    );
    problems.push(...made.problems);
    return enter(made.module);
  };

  const entry = add(path, text);
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
        imported = add(target, source);
      }
      for (const { name, as } of declaration.names) {
        const definition = imported.names.get(name.text);
        if (definition === undefined) {
          const known = [...imported.names.keys()];
          const meant = nearest(name.text, known);
          problems.push(
            problem(
              'NN703',
              name.span,
              { name: name.text, path: target, known, suggestion: meant },
              meant === null
                ? []
                : [
                    // The rest of the file calls it as the import does.
                    {
                      title: as === null ? `import \`${meant} as ${name.text}\`` : `write \`${meant}\``,
                      edits: [{ span: name.span, text: as === null ? `${meant} as ${name.text}` : meant }],
                      applicability: 'maybe',
                    },
                  ],
            ),
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
  kept?.prune();
  const again: Program['again'] = (change, f) => {
    const texts = new Map(sources.files.filter((s) => !s.library).map((s) => [s.path, change(s)]));
    const reread = (): Loaded =>
      loadProgram(path, texts.get(path)!, { read: (p) => texts.get(p) ?? null }, library, consts, kept);
    return kept === null ? f(reread()) : kept.tentatively(() => f(reread()));
  };
  return { program: { sources, entry, modules, library: libraryNames, kept, problems, again }, problems };
}

/** A module with its own names; imports come later. */
function declared(
  path: string,
  parsed: ParseResult,
  library: boolean,
  define: (declaration: NamedDeclaration, module: ProgramModule) => Definition,
): LoadedModule {
  const problems = [...(parsed.problems as unknown as readonly Problem[])];
  const { declarations } = parsed.module;
  const module: ProgramModule = {
    path,
    file: parsed.module.file,
    ast: parsed.module,
    library,
    names: new Map(),
    checkpoints: declarations.filter((d) => d.kind === 'checkpoint'),
  };
  for (const declaration of declarations) {
    if (!isNamed(declaration)) continue;
    const { text: name, span } = declaration.name;
    const earlier = module.names.get(name);
    if (earlier === undefined) module.names.set(name, define(declaration, module));
    else problems.push(problem('NN701', span, { name, first: earlier.declaration.name.span }));
  }
  return { module, problems };
}
