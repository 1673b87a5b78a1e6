/** Problems of the checker: code → facts. The prose is in `../render/check.ts`. */
import type { Span } from '../../../grammar/ast.ts';

/** A step of the chain that gave a size its value, outermost first. */
export interface Link {
  readonly text: string;
  readonly span: Span | null;
}

/** How sure: `refuted` never holds, `counterexample` need not hold (with numbers), `unknown` could not be decided. */
export interface Judgement {
  readonly kind: 'refuted' | 'counterexample' | 'unknown';
  /** `H = 3, W = 1` */
  readonly witness: string | null;
  /** What would be enough: `H % 16 == 0`. */
  readonly condition: string | null;
  /** The sides have one value now, but only because two constants happen to. */
  readonly coincidence?: boolean;
}

/** Two shapes written under each other, with the guilty axis (from 0; null when the ranks differ). */
export interface Aligned {
  readonly leftName: string;
  readonly left: readonly string[];
  readonly rightName: string;
  readonly right: readonly string[];
  readonly axis: number | null;
}

export interface CheckProblems {
  // ---------------------------------------------------------------------------------- 1: sizes, shapes, index equations
  /** An argument's axis has not the size that the signature and the other arguments demand. */
  NN101: {
    readonly callee: string;
    readonly parameter: string;
    readonly expected: string;
    readonly actual: string;
    readonly shapes: Aligned;
    readonly judgement: Judgement;
    readonly chain: readonly Link[];
  };
  /** One index, two extents. */
  NN102: {
    readonly index: string;
    readonly first: string;
    readonly firstSpan: Span | null;
    readonly second: string;
    readonly judgement: Judgement;
    readonly chain: readonly Link[];
  };
  /** A read that may leave its tensor, without `else`. */
  NN103: {
    readonly tensor: string;
    readonly axis: number;
    readonly index: string;
    readonly extent: string;
    readonly side: 'below' | 'above' | 'data';
    readonly judgement: Judgement;
    readonly chain: readonly Link[];
  };
  /** An index that nothing gives an extent. */
  NN104: { readonly index: string };
  /** An axis that a group does not split, or an extent that the parts do not multiply to. */
  NN105: {
    readonly group: string;
    readonly axis: string;
    readonly parts: string;
    /** The part without an extent, if there is one: then the parts must divide the axis, else they must make it. */
    readonly open: string | null;
    readonly judgement: Judgement;
    readonly chain: readonly Link[];
  };
  /** Another number of axes. */
  NN106: {
    readonly what: string;
    readonly expected: string;
    readonly actual: string;
    readonly expectedRank: string;
    readonly actualRank: string;
    readonly chain: readonly Link[];
  };
  /** A `require` that does not hold at this call, or whose holding cannot be decided. */
  NN107: {
    readonly callee: string;
    readonly condition: string;
    readonly instantiated: string;
    readonly message: string | null;
    readonly judgement: Judgement;
    readonly requireSpan: Span | null;
    readonly chain: readonly Link[];
  };
  /** `a / b` of integers that need not divide, where an integer is needed. */
  NN108: { readonly dividend: string; readonly divisor: string; readonly judgement: Judgement };
  /** The body's value is not of the declared result type. */
  NN109: {
    readonly name: string;
    readonly declared: string;
    readonly actual: string;
    readonly shapes: Aligned | null;
    readonly declaredSpan: Span | null;
    readonly judgement: Judgement | null;
    readonly chain: readonly Link[];
  };
  /** A leaf (or a weight) rebound with another type. */
  NN110: {
    readonly name: string;
    readonly origin: string;
    readonly declared: string;
    readonly actual: string;
    readonly declaredSpan: Span;
    readonly chain: readonly Link[];
  };
  /** Something undefined without an `else`. */
  NN111: { readonly what: string };
  /** A whole tensor where an equation needs one element. */
  NN112: { readonly name: string; readonly type: string };
  /** A read with too few or too many indices. */
  NN113: { readonly tensor: string; readonly shape: string; readonly rank: string; readonly given: number };
  /** The branches of an `if` give a name different types. */
  NN114: { readonly name: string; readonly then: string; readonly otherwise: string };
  /** A round of a loop changes a type. */
  NN115: {
    readonly name: string;
    readonly before: string;
    readonly after: string;
    readonly loop: string;
    readonly loopSpan: Span;
    readonly chain: readonly Link[];
  };
  /** A guard that mentions none of the reduction's indices. */
  NN116: { readonly operator: string; readonly indices: readonly string[] };
  /** A softmax index that is not on the left. */
  NN117: { readonly index: string };
  /** `along` names no axis, or several. */
  NN118: { readonly along: string; readonly shape: string; readonly found: number };
  /** A size that an instance's parameters depend on differs from the first use. */
  NN119: {
    readonly instance: string;
    readonly size: string;
    readonly first: string;
    readonly firstSpan: Span;
    readonly second: string;
    readonly judgement: Judgement;
  };
  /** A number of another kind than needed (an integer, a size, a bool known at build). */
  NN120: { readonly what: string; readonly needed: string; readonly actual: string };
  /** A size that no argument fixes. */
  NN121: { readonly size: string; readonly callable: string };
  /** An index twice on the left, or in one reduction. */
  NN122: { readonly index: string; readonly first: Span };
  /** A draw or an initialiser where no shape is known. */
  NN123: { readonly name: string };
  /** An element type that does not fit. */
  NN124: { readonly what: string; readonly expected: string; readonly actual: string };
  /** `grad`, `minimize` or `metric` of something that is no scalar. */
  NN125: { readonly what: string; readonly type: string; readonly name: string | null };
  /** An index of a read is no integer. */
  NN126: { readonly index: string; readonly type: string };
  /** A run where a single axis is needed, or the other way round. */
  NN127: { readonly name: string; readonly isRun: boolean };

  // -------------------------------------------------------------------------------------------------- 2: broadcasting
  /** Combining the shapes would pair elements that do not belong together. */
  NN201: {
    readonly operator: string;
    readonly shapes: Aligned;
    readonly pairing: string;
    readonly chain: readonly Link[];
  };
  /** Two shapes that do not combine. */
  NN202: {
    readonly operator: string;
    readonly shapes: Aligned;
    readonly judgement: Judgement;
    readonly chain: readonly Link[];
  };
  /** The trailing part's size stands twice in the other shape: which axis is meant? */
  NN203: { readonly operator: string; readonly shapes: Aligned; readonly size: string };

  // --------------------------------------------------------------------------------------------------------- 3: roles
  /** A value with a confirmed role where another is demanded. */
  NN301: {
    readonly callee: string;
    readonly parameter: string;
    readonly demanded: string;
    readonly role: string;
    readonly from: Span | null;
  };
  /** A value that was probabilities and may no longer be. */
  NN302: { readonly callee: string; readonly parameter: string; readonly role: string; readonly from: Span | null };
  /** A softmax of probabilities. */
  NN303: { readonly role: string; readonly from: Span | null };
  /** The logarithm of a softmax: use log_softmax. */
  NN304: { readonly from: Span | null };

  // --------------------------------------------------------------------------------------------------------- 4: masks
  /** A mask is applied with a position it does not have. */
  NN401: { readonly mask: string; readonly position: string; readonly known: readonly string[] };
  /** Arithmetic with a bool. */
  NN402: { readonly operator: string; readonly type: string };

  // ------------------------------------------------------------------------------- 6: derivatives
  /** `grad` with respect to something the value cannot depend on or that is no float. */
  NN601: { readonly name: string; readonly type: string };

  // ------------------------------------------------------------------------------- 7: names, declarations, calls, training
  /** A top-level name declared twice. */
  NN701: { readonly name: string; readonly first: Span };
  /** An imported file that does not exist. */
  NN702: { readonly path: string };
  /** An imported name that its file does not declare. */
  NN703: {
    readonly name: string;
    readonly path: string;
    readonly known: readonly string[];
    readonly suggestion: string | null;
  };
  /** A name that means nothing here. */
  NN704: {
    readonly name: string;
    readonly suggestion: string | null;
    readonly known: readonly string[];
    /** Names that have it as a part. */
    readonly alike?: readonly string[];
    /** How the thing is written here that the name stands for elsewhere. */
    readonly hint?: string | null;
  };
  /** A name that hides another. */
  NN705: { readonly name: string; readonly what: string; readonly first: Span | null };
  /** A `let` or a configuration that nothing uses. */
  NN706: { readonly name: string; readonly what: string };
  /** Too many arguments. */
  NN707: { readonly callee: string; readonly signature: string; readonly expected: number; readonly given: number };
  /** A named argument that the callee does not have. */
  NN708: {
    readonly callee: string;
    readonly name: string;
    readonly suggestion: string | null;
    readonly known: readonly string[];
    readonly hint?: string | null;
  };
  /** One parameter given twice. */
  NN709: { readonly callee: string; readonly name: string };
  /** A parameter without an argument. */
  NN710: { readonly callee: string; readonly names: readonly string[]; readonly signature: string };
  /** Something that cannot be called. */
  NN711: { readonly what: string };
  /** A value of another kind than needed: a mask, an instance, a tensor, … */
  NN712: { readonly what: string; readonly expected: string; readonly actual: string };
  /** A tensor where the configuration comes first. */
  NN713: { readonly callee: string; readonly signature: string };
  /** A label or leaf name used twice in one body. */
  NN714: { readonly name: string; readonly what: string; readonly first: Span };
  /** A member that does not exist. */
  NN715: {
    readonly of: string;
    readonly name: string;
    readonly suggestion: string | null;
    readonly known: readonly string[];
    readonly hint?: string | null;
  };
  /** Something that cannot be rebound. */
  NN716: { readonly name: string; readonly what: string };
  /** A body that gives no value. */
  NN717: { readonly name: string };
  /** A recursion that does not come down. */
  NN718: { readonly name: string };
  /** Something missing or wrong in a `train` block. */
  NN719: { readonly text: string };
  /** A path of a checkpoint or selector that matches no parameter. */
  NN720: {
    readonly path: string;
    readonly of: string;
    readonly suggestion: string | null;
    readonly known: readonly string[];
  };
  /** A statement where it has no meaning: `param` in a `fn`, `yield` outside a `scan`. */
  NN721: { readonly what: string; readonly where: string };
  /** A condition that is not known at build. */
  NN722: { readonly what: string; readonly type: string };
  /** A `yield` of a scan with `until` that says nothing of the rounds that do not run (`name` null), or says it with what only a round has. */
  NN725: { readonly name: string | null; readonly until: Span };
  /** A leaf of type `record` that is not a state of a train block beginning as parameters. */
  NN727: { readonly leaf: string; readonly name: string; readonly actual: string };
  /** `storage Model { path = … }` with something that parameters are not stored as. */
  NN728: { readonly given: string };
  /** An expression nested too deep. */
  NN724: Readonly<Record<never, never>>;
  /** A list where a value is due. */
  NN726: Readonly<Record<never, never>>;
  /** A result that declares a new size. */
  NN723: { readonly name: string; readonly suggestion: string | null };
}
