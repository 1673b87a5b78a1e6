/**
 * What people write who come from PyTorch, Keras, NumPy or JavaScript: their names, and what is meant by them here.
 *
 * A name stands here only if it means nothing in `.nn`, so no right program is touched. `use` is offered as a fix (and checked as every fix is);
 * where no word-for-word replacement exists the hint says how the thing is written.
 */
export interface Habit {
  readonly use: string | null;
  readonly hint: string | null;
}

const use = (text: string): Habit => ({ use: text, hint: null });
const say = (hint: string): Habit => ({ use: null, hint });

const MOVED = 'axes are moved, split and merged by an equation: `let y[b, h, t, e] = x[b, t, (h e)]`';
const LAYOUT = say(MOVED);
const PRODUCT = say('a product of matrices is an equation: `let y[b, o] = sum[d] x[b, d] * w[o, d]`');
const JOIN = say('tensors are joined by an equation with `else`: `let z[b, d: D + E] = x[b, d] else y[b, d - D]`');
const LIBRARY = say('the standard library is in scope without import or prefix');
const EMPTY = say('there is no empty value: leave the argument out, or give the parameter a default');
const FILL = say('a tensor of one number is an equation: `let z[b: B, d: D] = 0`');

/** Modules that stand before a dot: leave them out. */
export const PREFIXES: ReadonlySet<string> = new Set([
  'nn',
  'F',
  'torch',
  'tf',
  'keras',
  'layers',
  'jnp',
  'jax',
  'np',
  'numpy',
  'optim',
  'Math',
  'self',
  'this',
]);

const NAMES: Readonly<Record<string, Habit>> = {
  None: EMPTY,
  null: EMPTY,
  undefined: EMPTY,
  True: use('true'),
  False: use('false'),
  self: say('there is no `self`: a layer is used where it stands, as `x |> name: Linear(8)`, and the name is its path'),
  this: say('there is no `this`: a layer is used where it stands, as `x |> name: Linear(8)`, and the name is its path'),
  nn: LIBRARY,
  F: LIBRARY,
  torch: LIBRARY,
  tf: LIBRARY,
  keras: LIBRARY,
  layers: LIBRARY,
  jnp: LIBRARY,
  jax: LIBRARY,
  np: LIBRARY,
  numpy: LIBRARY,
  optim: LIBRARY,
  Math: LIBRARY,
  print: say('a program prints nothing: return the value, or make it a `metric`'),
  len: say('sizes have names: write the size of the signature, as `T`'),
  range: say('positions are indices: `t` in an equation, `repeat i < n { … }` for rounds'),
  ReLU: use('relu'),
  GELU: use('gelu'),
  SiLU: use('silu'),
  Sigmoid: use('sigmoid'),
  Tanh: use('tanh'),
  Softmax: use('softmax'),
  LogSoftmax: use('log_softmax'),
  LeakyReLU: use('leaky_relu'),
  ELU: use('elu'),
  SELU: use('selu'),
  Flatten: use('flatten'),
  MaxPool2d: use('max_pool'),
  MaxPooling2D: use('max_pool'),
  AvgPool2d: use('avg_pool'),
  MaxPool1d: use('max_pool1d'),
  Dense: use('Linear'),
  Conv2D: use('Conv2d'),
  BatchNorm1d: use('BatchNorm'),
  BatchNorm2d: use('BatchNorm'),
  BatchNormalization: use('BatchNorm'),
  LayerNormalization: use('LayerNorm'),
  Dropout2d: use('SpatialDropout'),
  MultiheadAttention: use('MultiHeadAttention'),
  TransformerEncoderLayer: use('EncoderLayer'),
  TransformerDecoderLayer: use('DecoderLayer'),
  CrossEntropyLoss: use('cross_entropy'),
  sparse_categorical_crossentropy: use('cross_entropy'),
  NLLLoss: use('cross_entropy'),
  MSELoss: use('mean_squared_error'),
  mse_loss: use('mean_squared_error'),
  mse: use('mean_squared_error'),
  L1Loss: use('mean_absolute_error'),
  BCEWithLogitsLoss: use('binary_cross_entropy'),
  BCELoss: use('binary_cross_entropy_from_probs'),
  KLDivLoss: use('kl_divergence'),
  maximum: use('max'),
  minimum: use('min'),
  cat: use('concat'),
  pow: say('a power is written `x ^ 2`'),
  square: say('a square is written `x ^ 2`'),
  rsqrt: say('write `1 / sqrt(x)`'),
  matmul: PRODUCT,
  bmm: PRODUCT,
  mm: PRODUCT,
  dot: PRODUCT,
  einsum: PRODUCT,
  reshape: LAYOUT,
  view: LAYOUT,
  permute: LAYOUT,
  transpose: LAYOUT,
  rearrange: LAYOUT,
  unsqueeze: LAYOUT,
  squeeze: LAYOUT,
  stack: JOIN,
  concatenate: JOIN,
  zeros: FILL,
  ones: FILL,
  full: FILL,
  arange: say('an index is its position: `let place[t: T] = t`'),
  one_hot: say('a one-hot row is an equation: `let y[b, c: C] = 1 where c == label[b] else 0`'),
  masked_fill: say(
    'write `x where keep else value`, or put the mask into the softmax: `softmax[s where keep(q: t, k: s)]`',
  ),
  tril: say('write the mask: `softmax[s where s <= t] …`, or `causal`'),
  detach: use('stop_gradient'),
  no_grad: say('write `stop_gradient(e)` around what shall not teach'),
  lambda: say('functions are declared at file level: `fn f(x: float[...S]) -> float[...S] = …`'),
  def: say('functions are declared with `fn`, layers with `block`'),
};

const TYPES: Readonly<Record<string, Habit>> = {
  Tensor: say('a type names its elements and sizes: `float[B, 8]`'),
  tensor: say('a type names its elements and sizes: `float[B, 8]`'),
  Array: say('a type names its elements and sizes: `float[B, 8]`'),
  float32: use('f32'),
  float16: use('f16'),
  half: use('f16'),
  float64: use('float'),
  double: use('float'),
  number: use('float'),
  int64: use('i32'),
  int32: use('i32'),
  long: use('i32'),
  uint8: use('i32'),
  boolean: use('bool'),
};

/** Named arguments: what the parameter is called here, where the callee has it. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  learning_rate: ['lr', 'peak'],
  lr: ['peak', 'value'],
  max_lr: ['peak'],
  weight_decay: ['decay'],
  epsilon: ['eps'],
  kernel_size: ['kernel', 'size'],
  padding: ['pad'],
  strides: ['stride'],
  p: ['rate', 'dropout'],
  prob: ['rate'],
  dropout_rate: ['rate', 'dropout'],
  drop: ['rate', 'dropout'],
  out_features: ['out'],
  out_channels: ['out'],
  units: ['out', 'hidden'],
  filters: ['out'],
  features: ['out'],
  use_bias: ['bias'],
  num_heads: ['heads'],
  n_heads: ['heads'],
  n_head: ['heads'],
  num_groups: ['groups'],
  hidden_size: ['hidden'],
  hidden_dim: ['hidden'],
  dim_feedforward: ['hidden', 'expand'],
  num_embeddings: ['count'],
  vocab_size: ['count'],
  embedding_dim: ['width'],
  dim: ['width'],
  label_smoothing: ['smoothing'],
  ignore_index: ['ignore'],
  attn_mask: ['keep'],
  mask: ['keep'],
  key_padding_mask: ['keep'],
  target: ['label'],
  labels: ['label', 'target'],
  targets: ['target', 'label'],
  y_true: ['target', 'label'],
  y_pred: ['prediction', 'logits'],
  T_max: ['total'],
  total_steps: ['total'],
  warmup_steps: ['rise', 'over'],
  negative_slope: ['slope'],
  scale_factor: ['scale'],
  gamma: ['factor'],
  validation_split: ['split'],
  early_stopping: ['patience'],
};

const ARGUMENT_HINTS: Readonly<Record<string, string>> = {
  in_features: 'the width of the input is known from its shape',
  in_channels: 'the channels of the input are known from its shape',
  input_size: 'the width of the input is known from its shape',
  input_shape: 'the shape of the input stands in the signature of the model',
  betas: 'they are two arguments: `beta1: 0.9, beta2: 0.999`',
  batch_first: 'axes have names: batch, time, channels, in this order',
  activation: 'an activation is a stage of its own: `x |> Linear(8) |> relu`',
  dim: 'layers work along the last axis; an equation names any other',
  axis: 'layers work along the last axis; an equation names any other',
  inplace: 'values are never changed in place',
  device: 'where a program runs is chosen when it is built: `--target`',
  dtype: 'element types stand in signatures: `f32[B, 8]`',
};

const MEMBERS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['view', 'reshape', 'permute', 'transpose', 'flatten', 'unsqueeze', 'squeeze', 'expand', 'repeat'].map((n) => [
      n,
      MOVED,
    ]),
  ),
  shape: 'sizes have names: write the size of the signature, as `T`',
  size: 'sizes have names: write the size of the signature, as `T`',
  ndim: 'the number of axes stands in the type',
  T: 'axes change places in an equation: `let y[d, b] = x[b, d]`',
  mT: 'axes change places in an equation: `let y[d, b] = x[b, d]`',
  detach: 'write `stop_gradient(x)`',
  item: 'a scalar is its value',
  sum: 'reductions name their indices: `sum[d] x[b, d]`; of all elements `sum(x)`',
  mean: 'reductions name their indices: `mean[d] x[b, d]`; of all elements `mean(x)`',
  max: 'reductions name their indices: `max[d] x[b, d]`; of all elements `max(x)`',
  argmax: 'reductions name their indices: `argmax[c] x[b, c]`',
  softmax: 'write `softmax(x)`, or `softmax[s] …` in an equation',
  backward: 'derivatives need no call: `minimize` takes them, `grad(y, wrt: x)` is one',
  to: 'element types are converted by `float(x)` and `int(x)`; where a program runs is chosen when it is built',
  parameters: 'an optimizer takes all parameters that no other takes',
};

const own = <V>(table: Readonly<Record<string, V>>, key: string): V | null =>
  Object.hasOwn(table, key) ? table[key]! : null;

export const nameHabit = (name: string): Habit | null => own(NAMES, name);
export const typeHabit = (name: string): Habit | null => own(TYPES, name);
export const memberHint = (name: string): string | null => own(MEMBERS, name);

/** What a named argument is called here, among the callee's parameters. */
export function argumentHabit(name: string, known: readonly string[]): Habit | null {
  const found = (own(ARGUMENTS, name) ?? []).find((n) => known.includes(n));
  if (found !== undefined) return use(found);
  const hint = own(ARGUMENT_HINTS, name);
  return hint === null ? null : say(hint);
}
