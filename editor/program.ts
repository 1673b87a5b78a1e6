/**
 * A program as the editor loads it: like `loadProgram`, with the parses of unchanged files kept between keystrokes.
 *
 * The modules of the library are shared by all documents; the
 * trees of the others are shared where number and text are as before. Side tables belong to one check, so sharing trees is safe.
 */
import { check, type CheckResult } from '../compiler/check/check.ts';
import {
  resolvePath,
  type Definition,
  type Host,
  type NamedDeclaration,
  type Program,
  type ProgramModule,
} from '../compiler/check/program.ts';
import { problem, type Problem } from '../compiler/diagnostics/problem.ts';
import { library } from '../compiler/library.generated.ts';
import { Sources } from '../compiler/source/source.ts';
import type { Declaration } from '../grammar/ast.ts';
import { parse, type ParseResult } from '../grammar/parse.ts';

export type { Host } from '../compiler/check/program.ts';

const isNamed = (d: Declaration): d is NamedDeclaration =>
  d.kind !== 'import' && d.kind !== 'bad' && d.kind !== 'checkpoint';

const libraryFiles = Object.entries(library);
/** The library's files have the same numbers in every program, so all documents share their modules. */
let libraryModules: readonly { readonly module: ProgramModule; readonly problems: readonly Problem[] }[] | null = null;

/** Remembers the last parse of each path. */
export class Parses {
  private readonly kept = new Map<
    string,
    { readonly id: number; readonly text: string; readonly parsed: ParseResult }
  >();

  of(path: string, id: number, text: string): ParseResult {
    const old = this.kept.get(path);
    if (old?.id === id && old.text === text) return old.parsed;
    const parsed = parse({ id, text });
    this.kept.set(path, { id, text, parsed });
    return parsed;
  }

  forget(path: string): void {
    this.kept.delete(path);
  }
}

export interface Loaded {
  readonly program: Program;
  /** Of reading and parsing. */
  readonly problems: readonly Problem[];
}

/** The entry with everything it imports and the library. Never throws. */
export function load(path: string, text: string, host: Host, parses: Parses): Loaded {
  const sources = new Sources();
  const problems: Problem[] = [];
  const modules: ProgramModule[] = [];
  const byPath = new Map<string, ProgramModule>();
  const libraryNames = new Map<string, Definition>();

  const add = (modulePath: string, source: string, isLibrary: boolean): ProgramModule => {
    const file = sources.add(modulePath, source, isLibrary);
    const parsed = isLibrary ? parse({ id: file.id, text: source }) : parses.of(modulePath, file.id, source);
    for (const p of parsed.problems) problems.push(p as unknown as Problem);
    const module: ProgramModule = {
      path: modulePath,
      ast: parsed.module,
      library: isLibrary,
      names: new Map(),
      checkpoints: parsed.module.declarations.filter((d) => d.kind === 'checkpoint'),
    };
    modules.push(module);
    byPath.set(modulePath, module);
    for (const declaration of module.ast.declarations) {
      if (!isNamed(declaration)) continue;
      const { text: name, span } = declaration.name;
      const earlier = module.names.get(name);
      if (earlier === undefined) module.names.set(name, { declaration, module });
      else problems.push(problem('NN701', span, { name, first: earlier.declaration.name.span }));
    }
    return module;
  };

  if (libraryModules === null) {
    libraryModules = libraryFiles.map(([name, source]) => {
      const before = problems.length;
      const module = add(`nnc:${name}`, source, true);
      return { module, problems: problems.slice(before) };
    });
  } else
    for (const known of libraryModules) {
      const { path: own, ast } = known.module;
      sources.add(own, libraryFiles[ast.file]![1], true);
      problems.push(...known.problems);
      modules.push(known.module);
      byPath.set(own, known.module);
    }
  for (const { module } of libraryModules)
    for (const [key, definition] of module.names) libraryNames.set(key, definition);
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
        const local = as ?? name;
        const own = module.names.get(local.text);
        if (definition === undefined)
          problems.push(
            problem('NN703', name.span, { name: name.text, path: target, known: [...imported.names.keys()] }),
          );
        else if (own !== undefined)
          problems.push(problem('NN701', local.span, { name: local.text, first: own.declaration.name.span }));
        else module.names.set(local.text, definition);
      }
    }
  }
  return { program: { sources, entry, modules, library: libraryNames }, problems };
}

/** What the checker says of a program; fixes are re-checked only on demand, since each costs a check of its own. */
export function checked(loaded: Loaded, fixes: boolean): CheckResult {
  return check(loaded.program, { fixes });
}
