/** What an introduction to deep learning speaks of is in the library or built in, under the name that its readers expect. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { BUILTIN_NAMES } from '../../compiler/check/builtins.ts';
import { entriesOf } from '../../scripts/library.ts';

const entries = entriesOf(fileURLToPath(new URL('../../', import.meta.url)));
const known = new Set([...BUILTIN_NAMES, ...entries.map((e) => e.callable.name.text)]);

const CHAPTERS: Readonly<Record<string, string>> = {
  activations: `heaviside sigmoid tanh softmax identity relu leaky_relu gelu gelu_tanh silu selu elu softplus mish hard_tanh hard_sigmoid hard_swish glu swiglu geglu
    log_softmax`,
  losses: `binary_cross_entropy binary_cross_entropy_from_probs binary_cross_entropy_with_logits cross_entropy categorical_cross_entropy mean_squared_error
    mean_absolute_error huber kl_divergence hinge focal cosine_embedding triplet_margin ctc l1_penalty l2_penalty`,
  optimizers: 'SGD AdaGrad RMSProp Adam AdamW Lion Adafactor Muon clip_norm clip_value',
  schedules: 'warmup cosine one_cycle plateau linear exponential step_decay',
  regularisation: 'Dropout GaussianNoise DropPath SpatialDropout',
  convolution: 'Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d DepthwiseConv2d SeparableConv2d',
  pooling:
    'max_pool1d max_pool max_pool3d avg_pool1d avg_pool avg_pool3d global_avg_pool global_max_pool adaptive_avg_pool adaptive_max_pool lp_pool',
  normalisation: 'BatchNorm GroupNorm InstanceNorm LayerNorm RMSNorm',
  recurrent:
    'RNN LSTM GRU BiRNN BiLSTM BiGRU StackedRNN StackedLSTM StackedGRU StackedBiRNN StackedBiLSTM StackedBiGRU',
  transformer: `MultiHeadAttention EncoderLayer DecoderLayer TransformerEncoder TransformerDecoder causal padding window sinusoidal LearnedPositions rotary alibi`,
};

it.each(Object.entries(CHAPTERS))('%s', (_, names) => {
  expect(names.split(/\s+/).filter((name) => !known.has(name))).toEqual([]);
});

const options = (name: string): string[] => {
  const { config, parameters } = entries.find((e) => e.callable.name.text === name)!.callable;
  return [...(config ?? []), ...parameters].map((p) => p.name.text);
};

it('options that have names of their own', () => {
  expect(options('cross_entropy')).toEqual(expect.arrayContaining(['smoothing', 'ignore']));
  expect(options('SGD')).toEqual(expect.arrayContaining(['momentum', 'nesterov', 'decay']));
  for (const d of [1, 2, 3]) {
    expect(options(`Conv${d}d`)).toEqual(expect.arrayContaining(['stride', 'dilation', 'groups']));
    expect(options(`ConvTranspose${d}d`)).toEqual(expect.arrayContaining(['stride', 'dilation', 'groups']));
  }
});
