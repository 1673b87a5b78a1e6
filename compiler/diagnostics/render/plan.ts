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
      message: `the size \`${size}\` of \`${unit}\` has no greatest value, so no memory can be set aside for it`,
      notes: [`state one in the source (\`require ${size} <= …\`) or for this build (\`--bound ${size}=…\`)`],
    }),
  },
  NN530: {
    severity: 'error',
    title: 'more memory than allowed',
    explain: `\`--memory 512MB\` (option \`memory\`) bounds what a compiled program takes: parameters, what an optimizer keeps of them, and all that lies in memory while a
step runs. To stay below it values of the forward pass are computed a second time where the backward pass wants them, with the same bits; that
costs time, which \`nnc explain FILE --memory 512MB\` shows. Not everything can be computed again: parameters, inputs, results, gradients on their way into an update, and what one
step of the program reads and writes at once. The report names the largest of what is left.

What makes it smaller: a smaller batch (\`batch B = 16\`), the same batch in parts, whose gradients are added up (\`batch B = 64 in 4 parts\`), a smaller
bound of a size (\`--bound T=512\`), an optimizer that keeps less for every parameter (\`SGD\` keeps nothing, \`Adam\` two values).

\`\`\`nn
train Fit {
  input image: float[B, 64]
  input label: i32[B] < 10

  minimize cross_entropy(image |> hidden: Linear(256) |> relu |> out: Linear(10), label)
  optimizer SGD(lr: 0.1)
  batch B = 64 in 4 parts
}
\`\`\``,
    render: ({ unit, program, bound, least, persistent, largest }) => ({
      message: `\`${unit}\` takes at least ${bytesText(least)}, more than the ${bytesText(bound)} that it may take`,
      label: largest[0] === undefined ? '' : `${largest[0].name}: ${bytesText(largest[0].bytes)}`,
      // A line of a layer that stands several times gives several tensors.
      related: largest
        .filter((l, k) => k > 0 && largest.findIndex((o) => o.span === l.span) === k)
        .flatMap((l) => (l.span === null ? [] : [{ span: l.span, label: `${l.name}: ${bytesText(l.bytes)}` }])),
      notes: [
        `${bytesText(persistent)} are parameters and what is kept of them; ${bytesText(least - persistent)} lie in memory at once in \`${program}\`, with all computed again that can be`,
        'smaller bounds of the sizes, or the batch in parts (`batch B = 64 in 4 parts`), make it smaller',
      ],
    }),
  },
};

/** In the units of `--memory`. */
function bytesText(bytes: number): string {
  for (const [unit, size] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const)
    if (bytes >= size) return `${(bytes / size).toPrecision(3)} ${unit}`;
  return `${bytes} bytes`;
}
