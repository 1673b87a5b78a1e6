/** Prose of memory planning. Facts are in `../families/plan.ts`. */
import type { ProseTable } from '../problem.ts';
import type { PlanProblems } from '../families/plan.ts';

export const planProse: ProseTable<PlanProblems> = {
  NN520: {
    severity: 'error',
    title: 'a size without a greatest value',
    explain: `A compiled program takes all its memory when it starts, so every size that is known only at run time needs a greatest value. State it in the
source, where it is also checked and where it helps to prove that indices stay inside:

\`\`\`nn
model Sum(x: float[T, 8]) -> float[8] {
  require T <= 1024, "at most 1024 positions"
  return sum[t] x[t, d]
}
\`\`\`

or give it for one build (\`--bound T=1024\`, option \`bounds\`).`,
    render: ({ size, unit }) => ({
      message: `The size \`${size}\` of \`${unit}\` has no greatest value, so no memory can be set aside for it.`,
      notes: [`State one in the source (\`require ${size} <= …\`) or for this build (\`--bound ${size}=…\`).`],
    }),
  },
};
