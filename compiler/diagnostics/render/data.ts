/** Prose of the data family: files, columns, and data that do not meet a program's inputs. Facts are in `../families/data.ts`. */
import type { ProseTable } from '../problem.ts';
import type { Cell, DataProblems, SizeSeen } from '../families/data.ts';
import type { SafetensorsProblem } from '../../../runtime/safetensors.ts';

const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;
const ordinal = (n: number): string => ['first', 'second', 'third', 'fourth', 'fifth', 'sixth'][n] ?? `${n + 1}th`;
const plural = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;

/** With a file that has the problem, and one that has not. */
const shown = (text: string, format: 'csv' | 'json', wrong: string, mended: string): string =>
  `${text}\n\nWrong:\n\n\`\`\`${format}\n${wrong}\n\`\`\`\n\nMended:\n\n\`\`\`${format}\n${mended}\n\`\`\`\n`;

/** `column label, row 17 (digits.csv:19)` */
const cellText = ({ path, column, row, line }: Cell): string =>
  `column ${column}, row ${row} (${line === null ? path : `${path}:${line}`})`;

const seenText = ({ value, input, column, axis, path }: SizeSeen): string =>
  input === ''
    ? `${value} in the program`
    : `${value} in input ${input}: ${ordinal(axis)} axis of column ${column} in ${path}`;

/** A list that stays readable when there are hundreds. */
function listText(names: readonly string[], most = 12): string {
  if (names.length === 0) return 'none';
  return names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}

const rowsCount = 'Rows count from 0, lines from 1.';

export const dataProse: ProseTable<DataProblems> = {
  NN521: {
    severity: 'error',
    title: 'an input has no column',
    explain: `A training program's inputs take the columns of the same name. Rename the column or the input, or map a file to it:

\`\`\`sh
nnc train digits.nn --data image=images.npy --data label=labels.npy
\`\`\`

Columns named \`image.0 … image.63\` or \`image[0] … image[63]\` count as one column \`image\`. A CSV file without header has the columns \`0\`, \`1\`, ….`,
    render: ({ input, columns, nearest, path }) => ({
      message: `no column for input ${input} in ${path}`,
      notes: [
        `columns there are: ${listText(columns)}`,
        ...(nearest === null
          ? []
          : [`the nearest name is ${nearest}; to use it, write: input ${nearest}, or rename the column`]),
      ],
    }),
  },
  NN522: {
    severity: 'error',
    title: "a column's values are not of the input's type",
    explain: `Values are converted only where nothing is lost: whole numbers to i32, 0 and 1 to bool, everything to float.
The report shows the first value that does not convert.`,
    render: ({ input, wants, has, cell, value }) => ({
      message: `input ${input} is ${wants}, but ${cellText(cell)} holds ${value}`,
      notes: [
        `the column was read as ${has}`,
        ...(value === 'NaN' ? ['NaN usually stands for a missing value; an integer has none'] : []),
        rowsCount,
      ],
    }),
  },
  NN523: {
    severity: 'error',
    title: "a column's shape is not the input's",
    explain: `The first axis of a column is its rows; the others must be the input's. A flat row meets any shape with as many elements
(64 values meet \`[B, 8, 8]\`, in row-major order); axes of one may be missing or added.`,
    render: ({ input, wants, column, path, shape, axis }) => ({
      message: `input ${input} wants ${wants}, but column ${column} is ${shapeText(shape)}`,
      notes: [
        ...(axis === null
          ? []
          : [
              `the ${ordinal(axis.index)} axis is ${shape[axis.index]}, not ${axis.text}${
                axis.text === String(axis.value) ? '' : ` (${axis.value} here)`
              }`,
            ]),
        `from ${path}`,
      ],
    }),
  },
  NN524: {
    severity: 'error',
    title: 'a size has two values in the data',
    explain: `A name stands for one number: when \`B\` (or \`T\`) occurs in several inputs, the data must agree. Images and labels with different
numbers of rows are the usual case.`,
    render: ({ size, first, second }) => ({
      message: `size ${size} is ${first.value} and ${second.value}`,
      notes: [seenText(first), seenText(second)],
    }),
  },
  NN525: {
    severity: 'error',
    title: 'an index beyond its bound',
    explain: `An input of type \`i32[B] < 10\` holds the indices 0 to 9. Labels that count from 1, and padding written as -1, break this.
Subtract 1, or give padding a place of its own and mask it in the loss.`,
    render: ({ input, cell, value, bound, boundText, count }) => ({
      message: `${value} in ${cellText(cell)} is no index below ${bound}`,
      notes: [
        `input ${input} is declared < ${boundText}${boundText === String(bound) ? '' : ` = ${bound}`}, so its values are 0 to ${bound - 1}`,
        ...(count > 1 ? [`${count} values are outside; this is the first`] : []),
        ...(value === bound && count > 0 ? ['values that count from 1 give this; indices count from 0'] : []),
        rowsCount,
      ],
    }),
  },
  NN526: {
    severity: 'warning',
    title: 'NaN or infinity in an input',
    explain: `One value that is not a number makes a loss that is not a number, and then every weight. Training goes on because a masked
position may hold anything; otherwise clean the data.`,
    render: ({ input, cell, value, count }) => ({
      message: `input ${input} holds ${value} in ${cellText(cell)}`,
      notes: count > 1 ? [`${count} values are not finite; this is the first`] : [],
    }),
  },
  NN527: {
    severity: 'note',
    title: 'a column was read in another shape',
    explain: 'The elements keep their order: the last axis of the input runs fastest.',
    render: ({ input, column, path, from, to, wants }) => ({
      message: `column ${column} ${shapeText(from)} is read as ${shapeText(to)} for input ${input} ${wants}`,
      notes: [`row by row, from ${path}`],
    }),
  },
  NN528: {
    severity: 'error',
    title: 'no column determines a size',
    explain: `Every named size of the inputs must be the whole extent of an axis in some column of the same rank; sums like \`T + 1\` and flat
columns follow from sizes that are known.`,
    render: ({ input, wants, text }) => ({
      message: `the data do not determine ${text} in input ${input} ${wants}`,
      notes: [`store the column with one axis for each of ${wants}, or set the size as a const`],
    }),
  },
  NN529: {
    severity: 'error',
    title: 'no rows',
    explain: 'A data file without a single row cannot train anything.',
    render: ({ path }) => ({ message: `${path} has no rows` }),
  },

  NN901: {
    severity: 'error',
    title: 'a file cannot be read',
    explain: 'The file is missing, is a folder, or may not be read.',
    render: ({ path, reason }) => ({ message: `cannot read ${path}: ${reason}` }),
  },
  NN902: {
    severity: 'error',
    title: 'a data file of unknown format',
    explain: `Known formats: CSV and TSV, JSON lines, NumPy's .npy and .npz, IDX (the format of MNIST), safetensors; each also as .gz.
The content decides, then the extension.`,
    render: ({ path }) => ({
      message: `${path} is in no format that is known here`,
      notes: ['known: CSV, JSON lines, NPY, NPZ, IDX, safetensors; each also as .gz'],
    }),
  },
  NN903: {
    severity: 'error',
    title: 'a damaged data file',
    explain:
      'The file is not what its format demands. Often a download was cut off: fetch it again and compare its size.',
    render: ({ path, format, what }) => ({ message: `${path} is not a sound ${format} file: ${what}` }),
  },
  NN904: {
    severity: 'error',
    title: 'a CSV line with another number of fields',
    explain: shown(
      'Every line has as many fields as the first. A field that contains the delimiter stands in double quotes.',
      'csv',
      'age,height\n31,1.7\n28,1,8',
      'age,height\n31,1.7\n28,1.8',
    ),
    render: ({ path, line, expected, found }) => ({
      message: `${path}:${line} has ${plural(found, 'field')}, the lines before it ${expected}`,
      notes: found > expected ? ['a field that contains the delimiter stands in double quotes'] : [],
    }),
  },
  NN905: {
    severity: 'error',
    title: 'a CSV quote that does not match',
    explain: shown(
      'A quoted field ends at its second quote, and the delimiter follows. A quote inside is written twice: `"6"" nails"`.',
      'csv',
      'name,age\n"Ada"x,36',
      'age\n36',
    ),
    render: ({ path, line, unclosed }) => ({
      message: unclosed
        ? `${path}:${line} begins a quoted field that never ends`
        : `${path}:${line} has text after a closing quote`,
      notes: ['a quote inside a quoted field is written twice'],
    }),
  },
  NN906: {
    severity: 'error',
    title: 'a value that is not a number',
    explain: shown(
      `Inputs are numbers or truth values. A missing value has no number: fill it in or leave its row out. Categories need numbers,
which an \`Embedding\` then reads.`,
      'csv',
      'age,height\n31,1.7\nn/a,1.8',
      'age,height\n31,1.7\n30,1.8',
    ),
    render: ({ cell, text }) => ({
      message:
        text === ''
          ? `${cellText(cell)} is empty`
          : `${cellText(cell)} holds ${JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)}, not a number`,
      notes: [rowsCount],
    }),
  },
  NN907: {
    severity: 'error',
    title: 'a number too large for its type',
    explain: `Compiled programs compute with 32 bits: integers from -2147483648 to 2147483647, floats to about 3.4e38. 64-bit files are
accepted as long as their values fit.`,
    render: ({ cell, value, type }) => ({
      message: `${value} in ${cellText(cell)} does not fit ${type}`,
      notes:
        type === 'i32'
          ? ['i32 ends at 2147483647; as a float (written with a decimal point) it would be rounded to 24 bits']
          : ['f32 ends at about 3.4e38'],
    }),
  },
  NN908: {
    severity: 'error',
    title: 'rows of different shapes',
    explain: shown(
      `A column is one tensor, so every row has the shape of the first. Pad sequences to one length and keep the lengths in a column
of their own; masks and guards then leave the padding out.`,
      'json',
      '{"x": [1, 2, 3]}\n{"x": [4, 5]}',
      '{"x": [1, 2, 3], "length": 3}\n{"x": [4, 5, 0], "length": 2}',
    ),
    render: ({ cell, expected, found }) => ({
      message: `${cellText(cell)} has shape ${found} where ${expected} is wanted`,
      notes: ['pad sequences to one length and keep the lengths in a column of their own'],
    }),
  },
  NN909: {
    severity: 'error',
    title: 'a line that is not a JSON object',
    explain: shown(
      'JSON lines hold one object a line: `{"image": [0, 1], "label": 3}`. A JSON text over several lines is another format.',
      'json',
      '{"x": 1}\n[2]',
      '{"x": 1}\n{"x": 2}',
    ),
    render: ({ path, line, reason }) => ({
      message: `${path}:${line} is not a JSON object: ${reason}`,
      notes: ['each line is one object, such as {"image": [0, 1], "label": 3}'],
    }),
  },
  NN910: {
    severity: 'error',
    title: 'two columns of one name',
    explain: shown('Columns are found by name, so a name stands for one column.', 'csv', 'x,x\n1,2', 'x,y\n1,2'),
    render: ({ column, paths }) => ({
      message: `column ${column} occurs twice, in ${[...new Set(paths)].join(' and ')}`,
    }),
  },
  NN911: {
    severity: 'error',
    title: 'an element type without a counterpart',
    explain:
      'Data are booleans, integers up to 64 bits and floats up to 64 bits. Complex numbers, text, dates and objects are not.',
    render: ({ path, column, type }) => ({
      message: `column ${column} in ${path} has element type ${type}, which has no counterpart`,
      notes: ['known: booleans, integers of 8 to 64 bits, floats of 16 to 64 bits'],
    }),
  },
  NN912: {
    severity: 'error',
    title: 'numbered columns with a gap',
    explain: shown(
      'Columns `image.0 … image.63` form one tensor, so none may be missing. Numbers start at 0 or at 1.',
      'csv',
      'image.0,image.1,image.3\n0,9,4',
      'image.0,image.1,image.2\n0,9,4',
    ),
    render: ({ path, column, missing }) => ({
      message: `the columns ${column}.… in ${path} form one tensor, but ${column}${missing} is missing`,
    }),
  },
  NN913: {
    severity: 'error',
    title: 'an option that cannot be read',
    explain: `\`--data file\` names a file, \`--data name=file\` the file of one column, \`--data name=file/255\` or \`file*0.5\` scales it.
A header \`image: 0..63, label\` names the columns of a CSV file without one.`,
    render: ({ text, reason }) => ({
      message: text === '' ? reason : `cannot read ${JSON.stringify(text)}: ${reason}`,
    }),
  },
  NN914: {
    severity: 'error',
    title: 'a file with several columns',
    explain: '`--data name=file` takes the column of that name, or the only one.',
    render: ({ path, name, columns }) => ({
      message: `${path} has several columns, none of them named ${name}`,
      notes: [`columns there are: ${listText(columns)}`],
    }),
  },
  NN915: {
    severity: 'error',
    title: 'a malformed safetensors file',
    explain: `The file breaks the safetensors format: eight bytes of header length, a JSON header, tensors without holes or overlaps. Usually a
download was cut off.`,
    render: ({ path, problem }) => ({
      message: `${path} is not a sound safetensors file: ${safetensorsText(problem)}`,
    }),
  },
  NN916: {
    severity: 'error',
    title: 'files that do not continue each other',
    explain: `Files with the same columns are joined row after row, files with different columns side by side. These share some columns
but not all, or in other shapes.`,
    render: ({ paths, column, why }) => ({
      message:
        why === 'missing'
          ? `${paths[0]} has column ${column}, ${paths[1]} has not`
          : `column ${column} has other shapes in ${paths[0]} and ${paths[1]}`,
      notes: ['files that share a column are joined row after row and need the same columns'],
    }),
  },
  NN917: {
    severity: 'error',
    title: 'a JSON line without a key',
    explain: shown(
      'A key that occurs in one line occurs in all.',
      'json',
      '{"x": 1, "label": 0}\n{"x": 2}',
      '{"x": 1, "label": 0}\n{"x": 2, "label": 1}',
    ),
    render: ({ cell }) => ({ message: `${cellText(cell)} is missing`, notes: [rowsCount] }),
  },
};

/** One clause about a malformed safetensors file, for every kind of damage. */
export function safetensorsText(problem: SafetensorsProblem): string {
  switch (problem.kind) {
    case 'short':
      return `it has ${plural(problem.bytes, 'byte')}, fewer than the 8 of a header length`;
    case 'header length':
      return `its header claims ${problem.length} bytes of a file of ${problem.bytes}`;
    case 'header text':
      return `its header is not JSON (${problem.reason})`;
    case 'metadata':
      return `its metadata entry ${problem.key} is not text`;
    case 'duplicate name':
      return `tensor ${problem.name} occurs twice`;
    case 'entry':
      return problem.field === 'entry'
        ? `tensor ${problem.name} is not described by an object`
        : `tensor ${problem.name} has no usable ${problem.field}`;
    case 'unknown type':
      return `tensor ${problem.name} has element type ${problem.dtype}, which is not known`;
    case 'outside':
      return `tensor ${problem.name} claims bytes ${problem.begin} to ${problem.end} of ${problem.bytes}`;
    case 'length':
      return `tensor ${problem.name} ${problem.dtype}${shapeText(problem.shape)} needs ${problem.expected} bytes and has ${problem.found}`;
    case 'overlap':
      return problem.name === problem.other
        ? `tensor ${problem.name} overlaps another`
        : `tensors ${problem.other} and ${problem.name} overlap at byte ${problem.at}`;
    case 'hole':
      return problem.before === null
        ? `bytes ${problem.begin} to ${problem.end} belong to no tensor`
        : `bytes ${problem.begin} to ${problem.end}, before tensor ${problem.before}, belong to no tensor`;
  }
}
