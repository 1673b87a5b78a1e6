/** What is left of mutants with other types and no report, by operator, and why nothing in their files could tell. The last class takes the others. */
export interface Remaining {
  readonly operators: readonly string[] | null;
  readonly what: string;
  readonly why: string;
}

export const remaining: readonly Remaining[] = [
  {
    operators: ['add a softmax to a result'],
    what: 'a softmax at the end of a model',
    why: 'A model may give probabilities. Where a loss, a metric or another model of the file reads its result, roles tell; here nothing of the file does, or what reads it takes both (squared differences, an argmax).',
  },
  {
    operators: ['drop a softmax'],
    what: 'a softmax that is gone',
    why: 'What takes its result takes any numbers, and it did not stand alone on its side of an equation, where a copy would be left.',
  },
  {
    operators: ['drop a stage', 'forget a statement'],
    what: 'a stage or a statement that is gone',
    why: 'It kept the width, or its neighbours take any: networks with a normalisation first, a branch less or no last projection are built on purpose. Where its const or block is left without a use, that is said.',
  },
  {
    operators: ['change a kernel, stride or padding', 'drop an argument'],
    what: 'another window',
    why: 'The size of what it gives is stated nowhere, and what comes behind it takes any. Windows that have no middle or leave places out are said for the layers of the library.',
  },
  {
    operators: ['wrong width of a layer'],
    what: 'another width',
    why: 'A hidden width is free. One beside a power of two or a named size is said, unless the file has it twice.',
  },
  {
    operators: ['another element type', 'swap two axes of a type', 'off by one in a number of classes'],
    what: 'another type in a signature',
    why: 'All uses in the body allow both: what reads it says what stands outside (`else`), converts, or only compares.',
  },
  {
    operators: [
      'off by one in an extent',
      'drop a part of a group',
      'another operator',
      'swap two axes of a read',
      'swap two axes on the left',
    ],
    what: 'another size or order inside a body',
    why: 'What comes behind follows the new size: a layer takes any, or an `else` says what stands outside.',
  },
  { operators: null, what: 'others', why: 'The change is consistent with the rest of the file.' },
];
