/**
 * One function for structurally equal kernels, also across programs: a canonical text of a kernel without its name, its origin and the names
 * of its buffers. Fusion shares within a program; `forward` and `evaluate` have much in common beyond that.
 */
import type { Expr, Guard, Kernel, Schedule, ScheduleNode, Stage, Write } from '../kernel/types.ts';

export function kernelKey(kernel: Kernel, schedule: Schedule): string {
  const numbers = new Map<Expr, number>();
  const rows: string[] = [];

  const guards = (all: readonly Guard[]): string => all.map((g) => `${g.lo.key}≤${g.e.key}<${g.hi.key}`).join('&');
  const dynamic = (all: readonly { readonly name: string; readonly value: Expr }[]): string =>
    all.map((d) => `${d.name}=${expr(d.value)}`).join(',');
  const expr = (e: Expr): number => {
    const known = numbers.get(e);
    if (known !== undefined) return known;
    let text: string;
    switch (e.kind) {
      case 'read':
        text = `read ${e.buffer} ${e.at.key} [${dynamic(e.dynamic)}] [${guards(e.guards)}] ${e.otherwise === null ? '' : expr(e.otherwise)}`;
        break;
      case 'value':
        text = `value ${e.name}`;
        break;
      case 'index':
        text = `index ${e.at.key}`;
        break;
      case 'const':
        text = `const ${Object.is(e.value, -0) ? '-0' : e.value}`;
        break;
      case 'guarded':
        text = `guarded [${guards(e.guards)}] ${expr(e.inside)} ${expr(e.outside)}`;
        break;
      case 'op':
        text = `${e.op} ${e.args.map(expr).join(' ')}`;
        break;
    }
    const id = rows.length;
    rows.push(`${e.dtype} ${text}`);
    numbers.set(e, id);
    return id;
  };
  const write = (w: Write): string =>
    `${w.mode} ${w.buffer} ${w.at.key} [${dynamic(w.dynamic)}] [${guards(w.guards)}] ${expr(w.value)}`;
  const stage = (s: Stage): string => {
    const defs = [...s.defs].map(([name, d]) => {
      const init = d.op !== null && d.init !== null ? expr(d.init) : '';
      return `${name} ${d.op ?? ''} ${init} ${expr(d.value)}`;
    });
    return [
      s.name,
      s.axes.join(','),
      s.over.join(','),
      s.order ?? '',
      ...defs,
      ...s.each.map((w) => `each ${write(w)}`),
      ...s.writes.map(write),
    ].join(';');
  };
  const node = (n: ScheduleNode): string =>
    n.kind === 'loop'
      ? `(${n.axis}/${n.step} ${n.body.map(node).join(' ')})`
      : `<${n.stage} ${n.order.join(',')} ${[...n.tile].map(([a, t]) => `${a}${t}`).join(',')} ${n.unroll}>`;

  const head = [
    kernel.sizes.join(','),
    kernel.buffers
      .map((b) => `${b.dtype}${b.storage ?? ''} ${b.access} [${b.sizes.map((p) => p.key).join(',')}]`)
      .join(';'),
    [...kernel.axes].map(([a, p]) => `${a}:${p.key}`).join(','),
    ...kernel.stages.map(stage),
    schedule.body.map(node).join(' '),
  ].join('\n');
  return `${head}\n${rows.join('\n')}`;
}
