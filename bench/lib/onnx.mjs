/** Writes ONNX models: the part of its protocol buffers that the benchmarks need (nodes, initialisers, inputs, outputs), opset 20. */
const VARINT = 0;
const BYTES = 2;

function varint(n) {
  const out = [];
  let rest = BigInt(n);
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    out.push(rest > 0n ? low | 128 : low);
  } while (rest > 0n);
  return Buffer.from(out);
}

const key = (field, type) => varint((field << 3) | type);
const number = (field, n) => [key(field, VARINT), varint(n)];
const bytes = (field, parts) => {
  const list = [parts].flat(Infinity).map((p) => (typeof p === 'string' ? Buffer.from(p) : p));
  return [key(field, BYTES), varint(list.reduce((n, p) => n + p.length, 0)), ...list];
};

function attribute(name, value) {
  const head = bytes(1, name);
  if (typeof value === 'string') return [head, bytes(4, value), number(20, 3)];
  if (Array.isArray(value)) return [head, value.map((v) => number(8, v)), number(20, 7)];
  if (Number.isInteger(value)) return [head, number(3, value), number(20, 2)];
  const real = Buffer.alloc(4);
  real.writeFloatLE(value.float);
  return [head, key(2, 5), real, number(20, 1)];
}

const FLOAT = 1;
const INT64 = 7;

const tensorType = (dtype, shape) =>
  bytes(1, [
    number(1, dtype),
    bytes(
      2,
      shape.map((extent) => bytes(1, number(1, extent))),
    ),
  ]);

/** A graph under construction; values are names. */
export class OnnxModel {
  nodes = [];
  initialisers = [];
  inputs = [];
  outputs = [];
  fresh = 0;

  input(name, shape, isInteger = false) {
    this.inputs.push(bytes(11, [bytes(1, name), bytes(2, tensorType(isInteger ? INT64 : FLOAT, shape))]));
    return name;
  }

  constant(name, shape, data) {
    const isInteger = data instanceof BigInt64Array;
    const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    this.initialisers.push(
      bytes(5, [shape.map((n) => number(1, n)), number(2, isInteger ? INT64 : FLOAT), bytes(8, name), bytes(9, raw)]),
    );
    return name;
  }

  /** A list of whole numbers as a constant: shapes, sizes of a split. */
  list(...values) {
    return this.constant(`c${this.fresh++}`, [values.length], BigInt64Array.from(values.map(BigInt)));
  }

  op(type, inputs, attributes = {}, results = 1) {
    const out = Array.from({ length: results }, () => `v${this.fresh++}`);
    const rows = Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value)));
    this.nodes.push(bytes(1, [inputs.map((i) => bytes(1, i)), out.map((o) => bytes(2, o)), bytes(4, type), rows]));
    return results === 1 ? out[0] : out;
  }

  output(value, shape) {
    this.outputs.push(bytes(12, [bytes(1, value), bytes(2, tensorType(FLOAT, shape))]));
  }

  encode() {
    const graph = [this.nodes, bytes(2, 'g'), this.initialisers, this.inputs, this.outputs];
    const model = [number(1, 9), bytes(8, [bytes(1, ''), number(2, 20)]), bytes(7, graph)];
    return Buffer.concat(model.flat(Infinity));
  }
}
