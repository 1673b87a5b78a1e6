/** What the page and the engine say to each other: plain data, so that it is the same in the page and through a worker. */
export type Target = 'wgsl' | 'wasm' | 'ts';

export type Command =
  | { readonly kind: 'program'; readonly source: string; readonly target: Target | null }
  | { readonly kind: 'target'; readonly target: Target }
  | { readonly kind: 'run'; readonly running: boolean }
  | { readonly kind: 'pace'; readonly slow: boolean }
  /** Whether WebAssembly takes all cores. */
  | { readonly kind: 'threads'; readonly many: boolean }
  | { readonly kind: 'again' }
  | { readonly kind: 'predict'; readonly image: Float32Array }
  /** Destroys the device under the program, as a driver's reset would. */
  | { readonly kind: 'lose' };

export interface Point {
  readonly step: number;
  readonly loss: number;
}

export type Report =
  | {
      readonly kind: 'compiled';
      /** Rendered reports; empty where there is nothing to say. */
      readonly text: string;
      readonly ok: boolean;
      readonly milliseconds: number;
      readonly parameters: number;
      readonly kernels: number;
    }
  | {
      readonly kind: 'ready';
      readonly target: Target;
      readonly available: readonly Target[];
      readonly reason: string;
      /** That compute; 1 where memory cannot be shared. */
      readonly threads: number;
    }
  | { readonly kind: 'progress'; readonly epoch: number; readonly points: readonly Point[]; readonly perSecond: number }
  | { readonly kind: 'tested'; readonly step: number; readonly accuracy: number; readonly loss: number }
  | { readonly kind: 'state'; readonly running: boolean; readonly step: number }
  | { readonly kind: 'prediction'; readonly probabilities: readonly number[] }
  | { readonly kind: 'note'; readonly text: string };
