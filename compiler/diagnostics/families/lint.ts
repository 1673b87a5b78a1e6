/** Problems of the lints: code → facts. The records are in `compiler/lint/`, the prose is in `../render/lint-*.ts`. All are warnings unless a level says otherwise. */
import type { Span } from '../../../grammar/ast.ts';

export interface LintProblems {
  // ------------------------------------------------------------------------------------------------ 1: layout and sizes
  /** A group merges the batch with other axes anywhere but in front. */
  NN130: { readonly index: string; readonly size: string; readonly group: string };
  /** The same indices grouped in two orders within one body. */
  NN131: { readonly group: string; readonly other: string; readonly otherSpan: Span };
  /** Parameters whose shape depends on a size that only the data give. */
  NN132: { readonly model: string; readonly size: string; readonly declared: Span; readonly batch: boolean };
  /** An input with a fixed number of rows. */
  NN133: { readonly input: string; readonly type: string; readonly rows: string };
  /** An index compared with a value that it never has. */
  NN134: { readonly index: string; readonly bound: string; readonly value: string; readonly result: string };

  /** A comment that was meant as a division. */
  NN135: { readonly comment: string; readonly dividend: string };

  /** A call gives one axis of the callee what bears another's name. */
  NN136: {
    readonly callee: string;
    readonly first: string;
    readonly second: string;
    readonly expected: string;
    readonly actual: string;
  };

  /** Two indices of a read that each run over the size of the other's axis. */
  NN137: {
    readonly read: string;
    readonly first: string;
    readonly second: string;
    readonly firstRuns: string;
    readonly secondRuns: string;
    /** The other place that does not go with it. */
    readonly elsewhere: Span | null;
    /** What tells: the sizes of the axes, or the letters of another equation. */
    readonly how: 'axes' | 'letters';
  };
  /** One letter over an axis that a group takes apart elsewhere. */
  NN138: { readonly letter: string; readonly group: string; readonly idle: string; readonly elsewhere: Span };
  /** An input made flat in the reverse of its order. */
  NN139: { readonly group: string; readonly read: string; readonly other: Span; readonly at: 'group' | 'read' };

  /** A name given for another parameter than the one that it is the name of. */
  NN140: { readonly callee: string; readonly first: string; readonly second: string };

  // --------------------------------------------------------------------------------------------------------- 3: roles
  /** A softmax over one value: always 1. */
  NN305: { readonly what: string; readonly axis: string };
  /** Weights that add up to 1 along one axis are summed along another. */
  NN306: {
    readonly operator: string;
    readonly normalised: string;
    readonly summed: string;
    /** Where the softmax stands, the use; at the use, the softmax. */
    readonly other: Span | null;
    readonly atSoftmax: boolean;
  };
  /** A softmax over the examples of a batch. */
  NN307: { readonly index: string; readonly size: string };
  /** Values that nothing made probabilities, where probabilities are due. */
  NN308: {
    readonly callee: string;
    readonly parameter: string;
    readonly layer: string;
    readonly from: Span;
    readonly instead: string | null;
  };

  /** A mean along the axis on which its weights add up to 1. */
  NN309: { readonly index: string; readonly weights: string; readonly from: Span | null };
  /** A float compared for equality with an index. */
  NN310: { readonly value: string; readonly index: string };
  /** A parameter of whole numbers that is only computed with as floats are. */
  NN311: { readonly name: string; readonly owner: string };

  // ---------------------------------------------------------------------------------------------- 4: masks, attention
  /** A mask whose query and key stand in each other's places. */
  NN403: { readonly mask: string; readonly position: 'q' | 'k'; readonly given: string; readonly index: string };
  /** A mask that seems to say the opposite of what a mask says. */
  NN404: {
    readonly name: string;
    readonly why: 'drop' | 'keep' | 'future' | 'length' | 'given';
    readonly condition: string;
  };
  /** A mask that leaves some row nothing. */
  NN405: { readonly condition: string; readonly row: string };
  /** Scores divided by the root of another width than the one that is summed over. */
  NN406: { readonly scale: string; readonly width: string; readonly indices: string };
  /** Scores of attention that are not scaled, or scaled twice. */
  /** `times` below 0: a mean, which divides already. */
  NN407: { readonly times: number; readonly width: string; readonly first: Span | null };
  /** A mask over queries alone, given to attention. */
  NN408: { readonly mask: string };

  /** Something that calls itself causal and masks nothing. */
  NN409: { readonly name: string; readonly key: string; readonly query: string };

  // --------------------------------------------------------------------------------------- 6: numerics and derivatives
  /** A parameter that the loss does not teach. */
  NN602: {
    readonly names: readonly string[];
    readonly why: 'unreached' | 'stopped';
    readonly train: string;
    readonly by: string | null;
    readonly bySpan: Span | null;
  };
  /** A parameter, argument or input that nothing reads. */
  NN603: { readonly name: string; readonly what: string };
  /** Two affine layers with nothing between. */
  NN604: { readonly first: string; readonly second: string; readonly firstSpan: Span };
  /** Normalisation over one value. */
  NN605: { readonly layer: string; readonly over: string; readonly shape: string };
  /** A rate or share outside of what can work. */
  NN606: {
    readonly name: string;
    readonly of: string;
    readonly value: string;
    readonly range: string;
    readonly then: string;
  };
  /** An epsilon that is nothing, or that drowns what it protects. */
  NN607: { readonly value: string; readonly why: 'zero' | 'large'; readonly least: string };
  /** An initialiser whose scale is made for another activation. */
  NN608: { readonly initialiser: string; readonly activation: string; readonly parameter: string };
  /** A fan-in initialiser of a weight whose inputs do not stand last. */
  NN609: { readonly initialiser: string; readonly parameter: string; readonly index: string; readonly place: number };

  /** A sum of what is -inf outside of a tensor. */
  NN610: { readonly operator: string; readonly outside: Span };
  /** The root of squares less a small number. */
  NN611: { readonly function: string; readonly small: string };
  /** An average by `a` and `1 + a`. */
  NN612: { readonly weight: string };
  /** A stage directly after the same stage. */
  NN613: { readonly stage: string; readonly first: Span };
  /** A layer of which only some outputs are read. */
  NN614: { readonly layer: string; readonly width: number; readonly read: readonly number[] };
  /** An embedding with rows that its index never has. */
  NN615: { readonly rows: string; readonly below: string };
  /** An activation on the raw input of a model. */
  NN616: { readonly activation: string; readonly input: string };
  /** A window that cannot be centred, or (with a stride) a pool that leaves places out. */
  NN617: { readonly layer: string; readonly kernel: number; readonly stride: number | null; readonly pad: number };

  /** A value that is another, under a second name. */
  NN618: { readonly name: string; readonly of: string; readonly how: 'copy' | 'same'; readonly other: Span | null };
  /** An extreme of one number. */
  NN619: { readonly function: string; readonly of: string };
  /** A range whose lower end is not below its upper one. */
  NN620: { readonly low: string; readonly high: string };
  /** A width one beside a round or a named one. */
  NN621: { readonly width: string; readonly round: string };
  /** A const or block that nothing uses. */
  NN622: { readonly name: string; readonly what: string };

  // ------------------------------------------------------------------------------------------------ 7: the levels themselves
  /** `allow` without a reason. */
  NN780: { readonly codes: readonly string[] };
  /** A directive for something that has no level. */
  NN781: { readonly name: string; readonly suggestion: string | null; readonly exists: boolean };
  /** An `allow` that has nothing to allow. */
  NN782: { readonly code: string; readonly where: 'line' | 'file' };
  /** A comment that begins as a directive and is none. */
  NN783: { readonly text: string };
}
