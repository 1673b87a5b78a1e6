/** Programs that the checker accepts and that cannot be built, with what is reported: `CODE line`. */
export const refused: readonly {
  readonly name: string;
  readonly text: string;
  readonly expected: readonly string[];
}[] = [
  {
    name: 'a carry that begins with a value of one round',
    text: `block Cell(x: float[B, D]) -> float[B, D] {
  carry seen: float[B, D] = x
  seen = 0.5 * seen + x
  return seen
}
model M(x: float[B, T, 3]) -> float[B, T, 3] {
  let cell = Cell()
  return scan x_t over x along T {
    yield cell(2 * x_t)
  }
}`,
    expected: ['NN803 2'],
  },
];
