/** A wrong program, and what must be said of it. */
export interface Wrong {
  readonly name: string;
  readonly text: string;
  readonly expected: readonly string[];
  /** Titles of the fixes that passed their own check. */
  readonly fixes?: readonly string[];
}

/** A train block around `body`. */
export const train = (
  body: string,
  model = 'model M(x: float[N, 3]) -> float[N, 1] { x |> Linear(1) }',
): string => `${model}
train Fit {
  input x: float[N, 3]
${body}
  optimizer Adam()
}`;
