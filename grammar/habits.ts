/**
 * Words and signs of other languages in places where `.nn` has its own: what to write instead. Facts only; sentences are made where they are
 * reported.
 */

/** Signs that begin no token. */
const signs: Readonly<Record<string, string>> = {
  '@': 'A product of matrices is an equation: `let y[b, o] = sum[d] x[b, d] * w[o, d]`.',
  '?': 'A value that depends on a condition is written `a where condition else b`.',
  '~': 'The opposite of a condition is `not c`.',
  '&': 'Conditions are joined by `and`.',
  $: 'Names have letters, digits and underscores.',
  '`': 'Strings stand in double quotes.',
};

export const signHint = (character: string): string | null =>
  Object.hasOwn(signs, character) ? signs[character]! : null;

/** Words at the head of a line in a file. */
const declarations: Readonly<Record<string, string>> = {
  def: 'Functions are declared with `fn`, layers with `block`.',
  function: 'Functions are declared with `fn`, layers with `block`.',
  func: 'Functions are declared with `fn`, layers with `block`.',
  class: 'A layer is a `block`, a network a `model`; neither has methods.',
  let: 'At file level there are constants: `const width = 64`.',
  var: 'At file level there are constants: `const width = 64`.',
  from: 'The standard library is in scope without import; a file is imported as `import Encoder from "./encoder.nn"`.',
  export: 'Every declaration of a file can be imported.',
  network: 'A network is a `model`.',
};

export const declarationHint = (word: string): string | null =>
  Object.hasOwn(declarations, word) ? declarations[word]! : null;

/** Words at the head of a statement of a training, and the ones that are meant. */
export const trainSynonyms: ReadonlyMap<string, string> = new Map([
  ['epoch', 'epochs'],
  ['optimiser', 'optimizer'],
  ['minimise', 'minimize'],
  ['loss', 'minimize'],
  ['inputs', 'input'],
  ['metrics', 'metric'],
  ['validation', 'validate'],
  ['batches', 'batch'],
]);

/** Words at the head of a statement of a body. */
export const statementHints: Readonly<Record<string, string>> = {
  lambda: 'Functions are declared at file level: `fn f(x: float[...S]) -> float[...S] = …`.',
  var: 'A new name is introduced by `let`.',
  const: 'Constants are declared at file level; in a body a new name is introduced by `let`.',
  for: 'Loops are `repeat i < n { … }` and `scan x_t over x along T { … }`.',
  while: 'Loops are `repeat i < n { … }` and `scan x_t over x along T { … }`.',
  def: 'Functions are declared with `fn`, layers with `block`, both at file level.',
  function: 'Functions are declared with `fn`, layers with `block`, both at file level.',
  class: 'A layer is a `block`, a network a `model`, both at file level.',
  elif: 'Write `else if`.',
  batch_size: 'The batch names its size: `batch B = 64`.',
  learning_rate: 'The rate is an argument of the optimizer: `optimizer Adam(lr: 1e-3)`.',
  lr: 'The rate is an argument of the optimizer: `optimizer Adam(lr: 1e-3)`.',
};
