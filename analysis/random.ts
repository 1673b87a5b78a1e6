/** Random numbers for analyses: streams of the same counter-based generator as everywhere, each a pure function of a seed and a purpose. */
import { threefryWord0, threefryWord1 } from '../runtime/random.ts';

export class Stream {
  private readonly seed: number;
  private readonly number: number;
  private count = 0;

  /** Streams of one seed and different numbers are independent. */
  constructor(seed: number, number: number) {
    this.seed = seed >>> 0;
    this.number = number >>> 0;
  }

  /** In [0, 1), 53 bits. */
  uniform(): number {
    const high = threefryWord0(this.seed, this.number, this.count, 0x6e6e63);
    const low = threefryWord1(this.seed, this.number, this.count++, 0x6e6e63);
    return (high * 2 ** 21 + (low >>> 11)) * 2 ** -53;
  }

  /** A whole number in [0, n). */
  below(n: number): number {
    return Math.min(n - 1, Math.floor(this.uniform() * n));
  }

  /** Standard normal (Box and Muller, 1958). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** 0 … n − 1 in random order (Fisher and Yates). */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }
}
