/** The next symbol from logits: by temperature, among the k likeliest, among the likeliest that together have probability p (Holtzman et al., 2020). */
import type { Stream } from '../random.ts';

export { Stream } from '../random.ts';

export interface Choice {
  /** Divides logits; 0 takes the likeliest. */
  readonly temperature: number;
  readonly topK: number | null;
  readonly topP: number | null;
}

/** Probabilities of all symbols after the restrictions; those ruled out have 0. */
export function restricted(logits: ArrayLike<number>, { temperature, topK, topP }: Choice): Float64Array {
  const n = logits.length;
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => logits[b]! - logits[a]! || a - b);
  const out = new Float64Array(n);
  if (temperature === 0) {
    out[order[0]!] = 1;
    return out;
  }
  const most = logits[order[0]!]!;
  const weight = order.map((i) => Math.exp((logits[i]! - most) / temperature));
  let kept = Math.min(n, topK ?? n);
  if (topP !== null) {
    const total = weight.slice(0, kept).reduce((a, b) => a + b, 0);
    let sum = 0;
    let needed = 0;
    // The one that reaches p belongs to them.
    while (needed < kept && sum < topP * total) sum += weight[needed++]!;
    kept = Math.max(1, needed);
  }
  const total = weight.slice(0, kept).reduce((a, b) => a + b, 0);
  for (let i = 0; i < kept; i++) out[order[i]!] = weight[i]! / total;
  return out;
}

export function sampled(logits: ArrayLike<number>, choice: Choice, stream: Stream): number {
  const p = restricted(logits, choice);
  let left = stream.uniform();
  let last = 0;
  for (let i = 0; i < p.length; i++) {
    if (p[i] === 0) continue;
    last = i;
    left -= p[i]!;
    if (left < 0) return i;
  }
  return last;
}
