/** Readable text of kernels and of kernel programs: for goldens, `nnc explain` and people. Not parsed again. */
import { format, type Poly } from '../sizes/poly.ts';
import type { Expr, Guard, Kernel, KernelProgram, KernelStep, ScalarOp, Stage, Write } from './types.ts';

const INFIX: Partial<Record<ScalarOp, readonly [text: string, strength: number]>> = {
  or: ['|', 1],
  and: ['&', 2],
  eq: ['==', 3],
  lt: ['<', 3],
  add: ['+', 4],
  sub: ['-', 4],
  mul: ['*', 5],
  div: ['/', 5],
  mod: ['%', 5],
};

/** Text of expressions of one kernel. Dynamic names are shown as what they stand for. */
export class ExprPrinter {
  private readonly buffers: readonly { readonly name: string }[];

  constructor(buffers: readonly { readonly name: string }[]) {
    this.buffers = buffers;
  }

  poly(p: Poly, dynamic: readonly { readonly name: string; readonly value: Expr }[] = []): string {
    return format(p, (s) => {
      const found = dynamic.find((d) => d.name === s);
      return found === undefined ? s : this.expr(found.value, 9);
    });
  }

  guards(guards: readonly Guard[], dynamic: readonly { readonly name: string; readonly value: Expr }[] = []): string {
    return guards
      .map((g) => `${this.poly(g.lo, dynamic)} <= ${this.poly(g.e, dynamic)} < ${this.poly(g.hi, dynamic)}`)
      .join(', ');
  }

  expr(e: Expr, within = 0): string {
    switch (e.kind) {
      case 'const':
        return String(e.value);
      case 'index': {
        const text = format(e.at);
        return within > 3 && /[^\w.]/.test(text) ? `(${text})` : text;
      }
      case 'value':
        return e.name;
      case 'read': {
        const text = `${this.buffers[e.buffer]?.name ?? `buffer${e.buffer}`}[${this.poly(e.at, e.dynamic)}]`;
        if (e.guards.length === 0) return text;
        return `(${text} if ${this.guards(e.guards, e.dynamic)} else ${this.expr(e.otherwise!)})`;
      }
      case 'guarded':
        return `(${this.expr(e.inside)} if ${this.guards(e.guards)} else ${this.expr(e.outside)})`;
      case 'op': {
        const infix = INFIX[e.op];
        if (infix !== undefined) {
          const text = `${this.expr(e.args[0]!, infix[1])} ${infix[0]} ${this.expr(e.args[1]!, infix[1] + 1)}`;
          return infix[1] < within ? `(${text})` : text;
        }
        const name = e.op === 'cast' ? e.dtype : e.op;
        return `${name}(${e.args.map((a) => this.expr(a)).join(', ')})`;
      }
    }
  }

  write(w: Write): string {
    const sign = w.mode === 'store' ? '=' : w.mode === 'add' ? '+=' : 'max=';
    const text = `${this.buffers[w.buffer]!.name}[${this.poly(w.at, w.dynamic)}] ${sign} ${this.expr(w.value)}`;
    return w.guards.length === 0 ? text : `${text} if ${this.guards(w.guards, w.dynamic)}`;
  }

  stage(s: Stage): string[] {
    const over = s.over.length === 0 ? '' : ` over ${s.over.join(' ')}`;
    const lines = [`${s.name}: ${s.axes.join(' ')}${over}${s.order === null ? '' : ` in order ${s.order}`}`.trimEnd()];
    for (const [name, def] of s.defs) {
      const begun = def.op === null || def.init === null ? '' : ` from ${this.expr(def.init)}`;
      lines.push(
        `  ${name} = ${def.op === null ? this.expr(def.value) : `${def.op}(${this.expr(def.value)})${begun}`}`,
      );
    }
    for (const w of s.each) lines.push(`  each ${this.write(w)}`);
    for (const w of s.writes) lines.push(`  ${this.write(w)}`);
    return lines;
  }
}

export function printKernel(kernel: Kernel): string {
  const printer = new ExprPrinter(kernel.buffers);
  const buffers = kernel.buffers.map(
    (b) =>
      `${b.access === 'read' ? '' : `${b.access} `}${b.name} ${b.dtype}[${b.sizes.map((p) => format(p)).join(', ')}]`,
  );
  const lines = [`kernel ${kernel.name}(${[...kernel.sizes, ...buffers].join(', ')})`];
  const axes = [...kernel.axes].map(([name, extent]) => `${name} < ${format(extent)}`);
  const rows = kernel.rows === undefined || kernel.rows.length === 0 ? '' : `; rows ${kernel.rows.join(' ')}`;
  const spans = [...(kernel.spans ?? [])].map(
    ([axis, { from, to }]) =>
      `; ${axis} from ${['0', ...from.map((p) => format(p))].join(', ')} to ${['its end', ...to.map((p) => format(p))].join(', ')}`,
  );
  if (axes.length > 0) lines.push(`  ${axes.join(', ')}${rows}${spans.join('')}`);
  for (const s of kernel.stages) for (const line of printer.stage(s)) lines.push(`  ${line}`);
  return lines.join('\n');
}

export function printProgram(program: KernelProgram): string {
  const names = new Map(program.buffers.map((b) => [b.id, b.name]));
  const lines = [`program ${program.name}`];
  for (const b of program.buffers) {
    const leaf = b.leaf === null || b.leaf === b.name ? '' : ` (${b.leaf})`;
    lines.push(`  ${b.kind} ${b.name}: ${b.dtype}[${b.sizes.map((p) => format(p)).join(', ')}]${leaf}`);
  }
  const go = (steps: readonly KernelStep[], indent: string): void => {
    for (const step of steps) {
      if (step.kind === 'copy') lines.push(`${indent}copy ${names.get(step.from)!} to ${names.get(step.to)!}`);
      else if (step.kind === 'loop') {
        const limit = step.limit === null ? '' : `, at most ${names.get(step.limit)!}`;
        const until = step.until === null ? '' : `, until ${names.get(step.until)!}`;
        const how = `${step.reversed ? ' reversed' : ''}${limit}${until}`;
        lines.push(`${indent}for ${step.variable} < ${format(step.count)}${how}`);
        go(step.body, `${indent}  `);
      } else {
        const given = step.kernel.sizes.flatMap((s, k) => {
          const text = format(step.sizes[k]!);
          return text === s ? [] : [`${s} = ${text}`];
        });
        const buffers = step.buffers.map((b) => names.get(b)!);
        lines.push(`${indent}${step.kernel.name}(${[...given, ...buffers].join(', ')})`);
      }
    }
  };
  go(program.steps, '  ');
  for (const o of program.outputs) {
    lines.push(`  ${o.name} = ${names.get(o.buffer)!}${o.updates === null ? '' : ` updates ${o.updates}`}`);
  }
  return lines.join('\n');
}

/** Every kernel of a program once, in order of first call. */
export function kernelsOf(program: KernelProgram): readonly Kernel[] {
  const found = new Set<Kernel>();
  const go = (steps: readonly KernelStep[]): void => {
    for (const step of steps) {
      if (step.kind === 'call') found.add(step.kernel);
      else if (step.kind === 'loop') go(step.body);
    }
  };
  go(program.steps);
  return [...found];
}
