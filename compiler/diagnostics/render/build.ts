/** Prose of the build family: what only shows when a program is built. */
import type { BuildProblems } from '../families/build.ts';
import type { ProseTable } from '../problem.ts';
import { explain } from './prose.ts';

export const buildProse: ProseTable<BuildProblems> = {
  NN801: {
    severity: 'error',
    title: 'what no caller can give',
    explain: explain(
      'Who calls a compiled model gives tensors of as many axes as it says, numbers of a call (`n: i32`, `p: float`) and sizes (`N: size`). Everything else is decided when the program is built: by a const, by a default, or by the model that calls this one. Blocks and functions are generic in it; a model that is compiled is not.',
      'model M(x: float[...S]) -> float[...S] { return relu(x) }',
      'model M(x: float[B, 3]) -> float[B, 3] { return relu(x) }',
    ),
    render: ({ feature, instead }) => ({
      message: `no caller of a compiled program can give ${feature}`,
      label: 'decided when the program is built',
      notes: [instead],
    }),
  },
  NN802: {
    severity: 'error',
    title: 'cannot be built',
    explain:
      'The program uses a form that nnc cannot turn into a graph in this place. The label shows the place, the message the form.',
    render: ({ what }) => ({ message: `cannot build ${what}`, label: 'here' }),
  },
  NN803: {
    severity: 'error',
    title: 'a carry that cannot begin before its loop',
    explain:
      'A layer made outside a loop and called inside it keeps its carries from round to round, so they begin before the first round. This one begins with a value that only a round has. Begin with something known before the loop, or make the layer inside the loop: then it begins anew in every round.',
    render: ({ name }) => ({
      message: `the carry \`${name}\` lives through the loop that calls its layer, but begins with a value of one round`,
      label: 'known in a round only',
      notes: ['begin with what is known before the loop, or make the layer inside it'],
    }),
  },
  NN804: {
    severity: 'error',
    title: 'what a target cannot run',
    explain:
      'The program is compiled, but one of the targets that were asked for has no way to run a form in it. Leave out that target (`--target`), or write the form another way: the report names both.',
    render: ({ target, unit, what }) => ({
      message: `the target ${target} cannot run ${unit}: it has ${what}`,
      notes: [target === 'wasm' ? 'the target ts can' : 'the targets ts and wasm can'],
    }),
  },
  NN805: {
    severity: 'error',
    title: 'a record of leaves that does not fit',
    explain:
      'Records of parameters (`m.params`) are combined leaf by leaf, so both have the same paths and shapes; and `m with r` needs the shapes that the layers of m declare. A sum or gradient over a record needs a network that has been called by then.',
    render: ({ what }) => ({ message: `this record cannot be used so: ${what}`, label: 'here' }),
  },
  NN806: {
    severity: 'error',
    title: 'a loss that cannot be computed in parts',
    explain:
      'With `batch B = 64 in 4 parts` a loss is put together from sums over the rows: numerators, counts, penalties, and anything computed from them. A loss that takes the greatest of the rows, or picks one, has a gradient that is no sum over the parts. Leave out `in … parts`, or write the loss with sums and means.',
    render: ({ op, parts }) => ({
      message: `this is not made of sums over the batch (${op}), so it cannot be computed in ${parts} parts`,
      label: 'needs the whole batch',
      notes: ['sums and means over the batch, masked or not, can be; or leave out `in … parts`'],
    }),
  },
  NN807: {
    severity: 'error',
    title: 'over the limits of the GPU',
    explain:
      'A kernel on a GPU sees a tensor through a binding, whose size is limited: 128 MiB on every device that has WebGPU, more on most; a longer tensor is seen through several, of which a kernel has 8. The program is compiled for what every device has, unless `gpu: { binding }` of `compile`, or `--gpu-binding`, says more. Smaller bounds of the sizes (a smaller batch) make tensors smaller; a large table can be kept as several, or in fewer bytes.',
    render: ({ unit, what, over, needed, limit, bindings }) =>
      over === 'binding'
        ? {
            message: `${what} of ${unit} takes ${mebibytes(needed)}; a kernel sees at most ${mebibytes(limit)} of it through each of ${bindings} bindings, and other tensors beside it`,
            label: 'too large for the bindings of a kernel',
            notes: [
              'smaller bounds of the sizes make it smaller; `--gpu-binding` compiles for a device that allows more',
            ],
          }
        : {
            message: `the kernel ${what} of ${unit} uses ${needed} tensors; this GPU allows ${limit} in one`,
            label: 'computed in one kernel',
            notes: ['a value stored in between would split it'],
          },
  },
  NN809: {
    severity: 'error',
    title: 'two parameters with one name in a file',
    explain:
      'A `checkpoint` map gives every parameter of the network a name in another file. Parameters that no equation names keep their own. Two of them may not have the same name there.',
    render: ({ name, first, second }) => ({
      message: `both \`${first}\` and \`${second}\` are "${name}" in this file`,
      label: 'here',
    }),
  },
  NN808: {
    severity: 'error',
    title: 'an equation that does not fit a parameter',
    explain:
      'An equation of a `checkpoint` map says where each element of a parameter lies in another file: both sides have the same letters, each once, in any order, as axes of their own or in groups (`(h e)`), whose extents are written where more than one is open.',
    render: ({ path, what }) => ({ message: `this equation does not fit \`${path}\`: ${what}`, label: 'here' }),
  },
  NN150: {
    severity: 'error',
    title: 'a requirement does not hold',
    explain:
      'A `require` is false for the sizes and configuration of this build. Change the configuration, or the sizes, so that the condition holds. The checker says the same first where it can, with the call that breaks the condition (NN107); this is said where only the build knows the sizes.',
    render: ({ condition, message, values }) => ({
      message: message === null ? `this requires \`${condition}\`` : `${message} (\`${condition}\`)`,
      label: 'does not hold',
      notes: values.length === 2 ? [`the two sides are ${values[0]!} and ${values[1]!}`] : [],
    }),
  },
  NN151: {
    severity: 'error',
    title: 'an index without an extent',
    explain:
      'Every index letter of an equation has an extent: written (`t: T`), or taken from a read where the letter stands alone. This one has neither. The checker finds this first (NN104, with programs); a build that still meets it says so instead of guessing.',
    render: ({ index }) => ({
      message: `nothing says how far the index \`${index}\` goes`,
      label: 'no extent',
      notes: [`write its extent on the left: \`${index}: N\``],
    }),
  },
  NN152: {
    severity: 'error',
    title: 'a draw without a shape',
    explain:
      'Draws such as `normal()` give one number for each position of what they fill: the left side of an equation, or a parameter with a type. Here there is neither. The checker finds this first (NN123, with programs); a build that still meets it says so instead of guessing.',
    render: ({ name }) => ({
      message: `\`${name}()\` does not know how many numbers to draw`,
      label: 'no shape here',
      notes: ['give it a left side: `let z[b: B, d: 128] = normal()`'],
    }),
  },
  NN790: {
    severity: 'error',
    title: 'no such model or train block',
    explain: 'A model or train block was asked for by name, but the file declares none of that name.',
    render: ({ name, known }) => ({
      message:
        name === null
          ? 'the file declares no model and no train block'
          : `the file declares no model or train block \`${name}\``,
      notes: known.length > 0 ? [`it declares ${known.map((k) => `\`${k}\``).join(', ')}`] : [],
    }),
  },
  NN791: {
    severity: 'error',
    title: 'parameters and optimizers do not meet',
    explain:
      'Every trained parameter is taken by exactly one optimizer: the first whose selector names it. An optimizer without `for` takes all that are left.',
    render: ({ what, name }) => ({
      message:
        what === 'no optimizer'
          ? `\`${name}\` minimizes a loss but has no optimizer`
          : what === 'unmatched parameter'
            ? `no optimizer takes the parameter \`${name}\``
            : 'this optimizer takes no parameter',
      notes: what === 'empty selector' ? [] : ['add `optimizer Adam(lr: 1e-3)`'],
    }),
  },
  NN792: {
    severity: 'error',
    title: 'an option that cannot be',
    explain:
      'Bounds are whole numbers from 1, consts are finite numbers and name consts of the file, targets are those that nnc has.',
    render: ({ option, value, wanted }) => ({ message: `the option ${option} is ${value}, not ${wanted}` }),
  },
  NN793: {
    severity: 'error',
    title: 'no such value in a model',
    explain: `Inner values are asked for by path: a layer's label (\`hidden\`) is its result, \`hidden.x\` its argument x, and the name of a \`let\` its value; rebound in a
round, \`h.0.x\`, it has that round's.
What is made inside a \`scan\` has no value outside it, except what is yielded.`,
    render: ({ path, model, known }) => {
      // Those that end alike first: of long paths the beginning is what one forgets.
      const last = path.split('.').at(-1)!;
      const alike = known.filter((k) => k.split('.').at(-1) === last);
      const shown = [...alike, ...known.filter((k) => !alike.includes(k))].slice(0, 30);
      const more = known.length - shown.length;
      return {
        message: `there is no value \`${path}\` in ${model}`,
        notes:
          known.length === 0
            ? ['it has no named values']
            : [`there are ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`],
      };
    },
  },
  NN794: {
    severity: 'error',
    title: 'weights that cannot be stored smaller',
    explain: `\`--weights int8\` keeps the parameters of two or more axes as integers with a scale for every row, \`int8:64\` and \`int4:32\` with a scale for so many
elements of a row, \`f16\` as half precision numbers. \`--weights "h.*.attn.**=int4:32"\` is about parameters by path: \`*\` stands for a part of a segment, \`**\` for
anything. Groups divide the row: the product of all axes but the first.`,
    render: ({ path, rule, why }) => ({
      message:
        path === null ? `the rule ${rule} stores nothing: ${why}` : `\`${path}\` cannot be stored as ${rule}: ${why}`,
    }),
  },
  NN795: {
    severity: 'error',
    title: 'trained parameters are kept whole',
    explain: `Training moves parameters by less than the steps of an integer or a half: it would stand still. Train with f32 weights and store them smaller
in the model that is built from the same file: \`nnc build model.nn --only Model --weights int8\`.`,
    render: ({ unit, path, count }) => ({
      message: `${unit} trains \`${path}\`${count > 1 ? ` and ${count - 1} more` : ''}, which cannot be stored in fewer bytes`,
      notes: ['build the model alone, with `only`'],
    }),
  },
};

const mebibytes = (bytes: number): string =>
  `${(bytes / 2 ** 20).toLocaleString('en-US', { maximumFractionDigits: 1 })} MiB`;
