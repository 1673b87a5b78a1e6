/**
 * Products with integers (compiler/schedule/dots.ts): all rows of the other operand are computed once and rounded to 16 bits in the workspace; then strip by strip
 * of columns, for every row, the dots and the rest of the stage. The loops inside are functions of the module, the same for all kernels.
 */
import { asConst, mul, num, type Poly } from '../../sizes/poly.ts';
import { CHUNK, COLUMNS, dotsLayout, type DotsLeaf } from '../../schedule/dots.ts';
import type { Stage } from '../../kernel/types.ts';
import { NO_SHIFT } from './expression.ts';
import { PARAMETERS } from './indices.ts';
import type { KernelContext, KernelEmitter, Range } from './kernel.ts';
import { Arithmetic, Epilogue } from './product.ts';

export function emitDots(emitter: KernelEmitter, leaf: DotsLeaf, stage: Stage, context: KernelContext): void {
  const { fn, x, kernel } = emitter;
  const n = new Arithmetic(fn);
  const product = (axes: readonly string[]): Poly => axes.reduce((p, a) => mul(p, kernel.axes.get(a)!), num(1));
  const size = (p: Poly): number => x.inLocal(x.index(p));
  const M = size(product(leaf.rows.axes));
  const N = size(product(leaf.columns.axes));
  const { storage, length, block, group } = leaf;
  const blocks = length / block;
  const chunks = block / CHUNK[storage];
  const { values, row } = dotsLayout(leaf);
  const temporary = n.do('i32.and', n.do('i32.add', PARAMETERS.workspace, { by: 31 }), { by: -16 });
  const first = n.do('i32.add', temporary, { by: values });
  const strip = n.do('i32.add', first, n.do('i32.mul', M, { by: row }));
  const rowAt = (r: number): number => n.do('i32.add', first, n.do('i32.mul', r, { by: row }));

  fn.for(0, { local: M }, 1, (r) => {
    let rest = r;
    for (let k = leaf.rows.axes.length - 1; k >= 0; k--) {
      const axis = leaf.rows.axes[k]!;
      if (k === 0) x.bind(axis, rest, true);
      else {
        const extent = size(kernel.axes.get(axis)!);
        const quotient = n.do('i32.div_u', rest, extent);
        x.bind(axis, n.do('i32.sub', rest, n.do('i32.mul', quotient, extent)), true);
        rest = quotient;
      }
    }
    const last = leaf.over.at(-1)!;
    const extentOf = (axis: string): number => asConst(kernel.axes.get(axis)!)!;
    const fill = (k: number, to: number): void => {
      const axis = leaf.over[k]!;
      const stride = leaf.over.slice(k + 1).reduce((p, a) => p * extentOf(a), 4);
      if (axis !== last)
        return emitter.loop(axis, () =>
          fill(k + 1, n.do('i32.add', to, n.do('i32.mul', x.binding(axis)!.local, { by: stride }))),
        );
      emitter.lanesBetween(axis, 0, extentOf(axis), 1, (vectors) => {
        const wide = vectors > 0;
        const at = n.do('i32.add', to, n.do('i32.shl', x.binding(axis)!.local, { by: 2 }));
        x.begin([leaf.x]);
        fn.code.get(at);
        x.emit(leaf.x, wide, NO_SHIFT);
        fn.code.access(wide ? 'v128.store' : 'f32.store');
        x.forget();
      });
    };
    fill(0, temporary);
    for (const axis of leaf.rows.axes) x.unbind(axis);
    fn.code.get(temporary);
    fn.code.get(rowAt(r));
    fn.code.i32(blocks);
    fn.code.i32(chunks);
    fn.code.call(context.library(storage === 'i8' ? 'round8' : 'round4'));
  });

  const epilogue = new Epilogue(emitter, leaf, stage, context);
  const rowBytes = storage === 'i8' ? length : length / 2;
  const scaleBytes = 4 * (length / group);
  const one = n.constant(1);
  // Weights of several rows are to stay in the cache from row to row.
  fn.code.i32(COLUMNS.one);
  fn.code.i32(COLUMNS.several);
  fn.code.get(M);
  fn.code.i32(1);
  fn.code.op('i32.eq');
  fn.code.op('select');
  const most = fn.hold('i32');
  // Every thread rounds all rows for itself and has a part of the columns.
  const part: Range = emitter.panels?.side === 'columns' ? emitter.part(N, 16) : { from: 0, to: { local: N } };
  fn.for(
    part.from,
    part.to,
    0,
    (jc) => {
      const nc = n.least(most, n.do('i32.sub', part.to.local, jc));
      const weights = n.do('i32.add', x.bases[leaf.weights]!, n.do('i32.mul', jc, { by: rowBytes }));
      const scales = n.do('i32.add', x.bases[leaf.scales]!, n.do('i32.mul', jc, { by: scaleBytes }));
      fn.for(0, { local: M }, 1, (r) => {
        for (const local of [rowAt(r), weights, scales, strip, nc]) fn.code.get(local);
        for (const constant of [blocks, chunks, group < length ? 4 : 0, rowBytes, scaleBytes]) fn.code.i32(constant);
        fn.code.call(context.library(storage === 'i8' ? 'dots8' : 'dots4'));
        // One row: there is no next one at the pitch.
        epilogue.emit({ first: r, height: one, jc, nc, strip, pitch: most });
      });
    },
    most,
  );
}
