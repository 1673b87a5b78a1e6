/**
 * What a train block or a model wants of its data, read off the checked source: names, types, axes as numbers, sizes and formulas. It is known
 * before anything is compiled, so that data are met first and give the compiler the bounds of its sizes.
 *
 * Only the arithmetic that signatures allow is computed here; shapes were proved by the checker.
 */
import type { Callable, Expr, TrainDeclaration, TypeExpr } from '../grammar/ast.ts';
import { printExpr } from '../editor/prettier-plugin/print.ts';
import { lookup, type Program, type ProgramModule } from '../compiler/check/program.ts';
import type { Dataset, InputSpec, SizeFormula } from './data/index.ts';

type Sizes = ReadonlyMap<string, number>;

export interface Wanted {
  readonly specs: readonly InputSpec[];
  /** The size that rows are counted by: `batch B = 64`, else the first axis that all inputs share. */
  readonly batch: { readonly size: string; readonly value: number | null; readonly parts?: number } | null;
}

export function wantedByTrain(program: Program, train: TrainDeclaration): Wanted {
  const reader = new Reader(program);
  const specs: InputSpec[] = [];
  let batch: Wanted['batch'] = null;
  for (const s of train.statements) {
    if (s.kind === 'input') specs.push(reader.spec(s.name.text, s.type));
    if (s.kind === 'batch')
      batch = {
        size: s.size.text,
        value: reader.value(s.value, new Map()),
        parts: s.parts === null ? 1 : (reader.value(s.parts, new Map()) ?? 1),
      };
  }
  return { specs, batch: batch ?? sharedAxis(specs) };
}

/** The parameters of a model that have no default. */
export function wantedByModel(program: Program, model: Callable): Wanted {
  const reader = new Reader(program);
  const specs = model.parameters.flatMap((p) =>
    p.type === null || p.default !== null || isSize(p) ? [] : [reader.spec(p.name.text, p.type)],
  );
  return { specs, batch: sharedAxis(specs) };
}

const isSize = (p: Callable['parameters'][number]): boolean => p.type?.dtype.text === 'size';

/** Sizes that a model takes as parameters: `N: size`. */
export const sizesOfModel = (model: Callable): string[] => model.parameters.filter(isSize).map((p) => p.name.text);

function sharedAxis(specs: readonly InputSpec[]): Wanted['batch'] {
  const first = specs.map(({ dims }) => dims[0]).filter((dim) => typeof dim === 'string');
  const size = first.find((name) => specs.every(({ dims }) => dims[0] === name || !dims.includes(name)));
  return size === undefined ? null : { size, value: null };
}

class Reader {
  private readonly program: Program;
  private readonly module: ProgramModule;

  constructor(program: Program) {
    this.program = program;
    this.module = program.entry;
  }

  spec(name: string, type: TypeExpr): InputSpec {
    const dims = (type.shape ?? []).map((d) => (d.kind === 'run' ? d.name.text : this.dim(d.value)));
    const dtype = type.dtype.text;
    const element = dtype === 'i32' || dtype === 'bool' || dtype === 'f16' ? dtype : 'f32';
    if (type.below === null) return { name, dtype: element, dims };
    const below = this.dim(type.below);
    return { name, dtype: element, dims, below: typeof below === 'string' ? this.formula(type.below) : below };
  }

  private dim(e: Expr): number | string | SizeFormula {
    const value = this.value(e, new Map());
    if (value !== null) return value;
    return e.kind === 'name' ? e.name : this.formula(e);
  }

  private formula(e: Expr): SizeFormula {
    return {
      text: printExpr(e),
      evaluate: (sizes) => {
        const value = this.value(e, sizes);
        return value !== null && Number.isInteger(value) ? value : null;
      },
    };
  }

  /** Null where a name has no value, or the expression is none of sizes. */
  value(e: Expr, sizes: Sizes, module: ProgramModule = this.module, depth = 0): number | null {
    const of = (part: Expr): number | null => this.value(part, sizes, module, depth);
    switch (e.kind) {
      case 'number':
        return e.value;
      case 'name': {
        const size = sizes.get(e.name);
        if (size !== undefined) return size;
        const definition = lookup(this.program, module, e.name);
        if (definition?.declaration.kind !== 'const' || depth > 100) return null;
        return this.value(definition.declaration.value, sizes, definition.module, depth + 1);
      }
      case 'unary': {
        const value = e.operator === '-' ? of(e.operand) : null;
        return value === null ? null : -value;
      }
      case 'binary': {
        const a = of(e.left);
        const b = of(e.right);
        if (a === null || b === null) return null;
        switch (e.operator) {
          case '+':
            return a + b;
          case '-':
            return a - b;
          case '*':
            return a * b;
          case '/':
            return b === 0 ? null : a / b;
          case '%':
            return b === 0 ? null : a - b * Math.floor(a / b);
          case '^':
            return a ** b;
          default:
            return null;
        }
      }
      case 'call': {
        const name = e.callee.kind === 'name' ? e.callee.name : '';
        const values = e.arguments.map((a) => of(a.value));
        if (values.length === 0 || values.includes(null)) return null;
        const numbers = values as number[];
        if (name === 'floor') return Math.floor(numbers[0]!);
        if (name === 'ceil') return Math.ceil(numbers[0]!);
        if (name === 'min') return Math.min(...numbers);
        return name === 'max' ? Math.max(...numbers) : null;
      }
      default:
        return null;
    }
  }
}

/**
 * Sizes that stand in formulas alone (`i32[B, T + 1]`): each formula with one unknown, in which it is linear, gives it a value, from the
 * column of the same number of axes. Those that stand alone somewhere are for `meetInputs`.
 */
export function solveSizes(dataset: Dataset, specs: readonly InputSpec[]): Map<string, number> {
  const seen = new Map<string, number>();
  const pairs = specs.flatMap(({ name, dims }) => {
    const shape = dataset.columns.get(name)?.shape;
    return shape === undefined ? [] : dims.map((dim, axis) => ({ dim, axis, shape, rank: dims.length }));
  });
  for (const { dim, axis, shape, rank } of pairs) {
    const extent = shape[axis];
    if (typeof dim === 'string' && extent !== undefined && (axis === 0 || shape.length === rank) && !seen.has(dim))
      seen.set(dim, extent);
  }
  const solved = new Map<string, number>();
  for (let progress = true; progress;) {
    progress = false;
    for (const { dim, axis, shape, rank } of pairs) {
      const extent = shape[axis];
      if (typeof dim !== 'object' || extent === undefined || shape.length !== rank) continue;
      const unknown = [...new Set(dim.text.match(/[A-Za-z_]\w*/g))].filter((name) => !seen.has(name));
      const at = (name: string, value: number) => dim.evaluate(new Map([...seen, [name, value]]));
      for (const name of unknown) {
        const zero = at(name, 0);
        const one = at(name, 1);
        if (zero === null || one === null || one === zero) continue;
        const value = (extent - zero) / (one - zero);
        if (!Number.isInteger(value) || value < 1 || at(name, value) !== extent) continue;
        seen.set(name, value);
        solved.set(name, value);
        progress = true;
      }
    }
  }
  return solved;
}
