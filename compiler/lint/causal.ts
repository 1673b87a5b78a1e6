/** What calls itself causal and lets every position see every other. A name is evidence, never proof: it only warns. */
import { walk } from '../../grammar/walk.ts';
import type { Lint } from './record.ts';

export const causalUnmasked: Lint = {
  code: 'NN409',
  name: 'causal-unmasked',
  level: 'warn',
  looksFor:
    'a block or function with `causal` in its name whose softmax over positions has no guard and whose calls get no mask',
  avoids: 'bodies that compare positions, name a mask, or have no softmax of their own',
  run(c) {
    for (const body of c.bodies) {
      const { owner } = body;
      if (owner.kind === 'train' || owner.kind === 'mask' || !/causal/i.test(owner.name.text)) continue;
      let guarded = false;
      walk(owner, (n) => {
        if (n.kind === 'where') guarded = true;
        if (n.kind === 'reduce' && (n as unknown as { guard: object | null }).guard !== null) guarded = true;
        if (n.kind === 'binary' && /^[<>]=?$/.test((n as unknown as { operator: string }).operator)) guarded = true;
        const { name } = n as { name?: unknown };
        if (typeof name === 'string' && n.kind === 'name' && /causal|mask|keep/i.test(name)) guarded = true;
        return undefined;
      });
      if (guarded) continue;
      const softmax = body.reduces.find((e) => e.operator === 'softmax' && e.indices.length === 1);
      if (softmax === undefined) continue;
      // Over keys, while another index of the equation has the same extent: a square of positions.
      const key = c.letter(softmax.indices[0]!);
      const equation = c.enclosing(softmax, 'let') ?? c.enclosing(softmax, 'assign');
      const left = (equation as { indices?: readonly object[] | null } | null)?.indices ?? [];
      const query = left
        .flatMap((i) => ((i as { kind?: string }).kind === 'index' ? (c.letter(i as never) ?? []) : []))
        .find(
          (l) =>
            l.atom !== key?.atom &&
            l.extent?.kind === 'size' &&
            key?.extent?.kind === 'size' &&
            l.extent.size === key.extent.size,
        );
      if (query === undefined || key === null) continue;
      const [index] = softmax.indices;
      c.report('NN409', softmax.operatorSpan, { name: owner.name.text, key: key.name, query: query.name }, [
        {
          title: `look at no later position: \`${key.name} <= ${query.name}\``,
          edits: [
            {
              span: { file: index!.span.file, start: index!.span.end, end: index!.span.end },
              text: ` where ${key.name} <= ${query.name}`,
            },
          ],
          applicability: 'maybe',
        },
      ]);
    }
  },
};
