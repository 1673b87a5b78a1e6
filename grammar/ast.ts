/**
 * The abstract syntax of `.nn`: what the parser builds, what the printer prints and what the checker reads.
 *
 * Every node has a span. Building never fails: what is missing or damaged is an explicit `bad` node. Node identity (the object) is the
 * key of every side table (types, resolutions), so nodes are never copied after parsing.
 * This file is types only; it knows nothing of sizes, types or tensors.
 */

/** Half-open range of UTF-16 offsets in the file with this number. */
export interface Span {
  readonly file: number;
  readonly start: number;
  readonly end: number;
}

export interface Name {
  readonly text: string;
  readonly span: Span;
}

/** `// note` and `/// documentation`, in source order, without the line break. */
export interface Comment {
  readonly text: string;
  readonly span: Span;
  /** True when nothing but white space stands before it on its line. */
  readonly ownLine: boolean;
}

export interface Module {
  readonly file: number;
  readonly declarations: readonly Declaration[];
  readonly comments: readonly Comment[];
  /** Where the lines begin, so that the printer can keep blank lines and bodies on one line. Absent in modules not made from text. */
  readonly lineStarts?: readonly number[];
  readonly span: Span;
}

// ---------------------------------------------------------------------------------------------------------------- declarations

export type Declaration =
  | ImportDeclaration
  | ConstDeclaration
  | Callable
  | TrainDeclaration
  | CheckpointDeclaration
  | StorageDeclaration
  | BadDeclaration;

/** `import Encoder, causal as mask1 from "./encoder.nn"` */
export interface ImportDeclaration {
  readonly kind: 'import';
  readonly names: readonly { readonly name: Name; readonly as: Name | null }[];
  readonly from: string;
  readonly fromSpan: Span;
  readonly span: Span;
}

/** One name of `const vocab = 50257, width = 768`. A comma list becomes several declarations with the same `group` (their common start offset). */
export interface ConstDeclaration {
  readonly kind: 'const';
  readonly name: Name;
  readonly value: Expr;
  readonly group: number;
  readonly doc: string | null;
  readonly span: Span;
}

export type CallableKind = 'fn' | 'loss' | 'metric' | 'block' | 'model' | 'mask' | 'optimizer' | 'schedule';

/**
 * `block Name(config…)(parameters…) -> result { … }` and its kin. With one list only, it is `parameters` and `config` is null;
 * a mask with two lists has `config` (numbers or tensors) and positions; an optimizer's second list is the pattern (w, g).
 */
export interface Callable {
  readonly kind: CallableKind;
  readonly name: Name;
  readonly config: readonly Parameter[] | null;
  readonly parameters: readonly Parameter[];
  readonly result: TypeExpr | readonly ResultField[] | null;
  /** `= e` is a body with `expression: true` and one `expression` statement. */
  readonly body: Body;
  readonly doc: string | null;
  /** True when the signature could not be read: calls to it are not checked. */
  readonly damaged: boolean;
  readonly span: Span;
}

export interface Parameter {
  readonly name: Name;
  readonly type: TypeExpr | null;
  readonly default: Expr | null;
  readonly span: Span;
}

/** One of `-> (mean: float[B], var: float[B])`. */
export interface ResultField {
  readonly name: Name;
  readonly type: TypeExpr;
  readonly span: Span;
}

export interface TrainDeclaration {
  readonly kind: 'train';
  readonly name: Name;
  readonly statements: readonly TrainStatement[];
  readonly doc: string | null;
  readonly span: Span;
}

/** `checkpoint huggingface for GPT2 { path[o, d] = "other.path"[d, o] … }`; `*` in a path stands for a round of a repeat. */
export interface CheckpointDeclaration {
  readonly kind: 'checkpoint';
  readonly format: Name;
  readonly model: Name;
  readonly entries: readonly CheckpointEntry[];
  readonly doc: string | null;
  readonly span: Span;
}

export interface CheckpointEntry {
  readonly path: string;
  readonly pathSpan: Span;
  readonly indices: readonly Index[];
  readonly source: string;
  readonly sourceSpan: Span;
  readonly sourceIndices: readonly Index[];
  readonly span: Span;
}

/** `storage GPT2 { h.*.attn.** = int8; ** = int4:32 }`: parameters of a model that are kept in fewer bytes; the first entry that matches decides. */
export interface StorageDeclaration {
  readonly kind: 'storage';
  readonly model: Name;
  readonly entries: readonly StorageEntry[];
  readonly doc: string | null;
  readonly span: Span;
}

export interface StorageEntry {
  readonly path: string;
  readonly pathSpan: Span;
  /** `int4:32` as a rule of the command line has it. */
  readonly as: string;
  readonly asSpan: Span;
  readonly span: Span;
}

export interface BadDeclaration {
  readonly kind: 'bad';
  readonly span: Span;
}

// ----------------------------------------------------------------------------------------------------------------------- types

/**
 * `float[B, ...S, D]`, `i32[B, T] < vocab`, `float[B, C] as logits`, `float[B, C] as probs(C)`, and configuration types
 * `int float bool size schedule mask` (a bare name with `shape` null: which of the two it is depends on where it stands).
 */
export interface TypeExpr {
  readonly dtype: Name;
  readonly shape: readonly Dim[] | null;
  readonly below: Expr | null;
  readonly role: { readonly name: Name; readonly axis: Name | null } | null;
  readonly span: Span;
}

/** An axis's size, or `...S`, a run of axes. */
export type Dim =
  | { readonly kind: 'size'; readonly value: Expr; readonly span: Span }
  | { readonly kind: 'run'; readonly name: Name; readonly span: Span };

// ------------------------------------------------------------------------------------------------------------------ statements

export interface Body {
  readonly statements: readonly Statement[];
  /** True for `= e`. */
  readonly expression: boolean;
  readonly span: Span;
}

export type Statement =
  | LetStatement
  | AssignStatement
  | LeafStatement
  | RequireStatement
  | IfStatement
  | ReturnStatement
  | RepeatStatement
  | YieldStatement
  | UntilStatement
  | ExpressionStatement
  | BadStatement;

/** `let x = e`, `let y[b, (h e)] = e`, `let z[b: B, d: 128] = normal()`. `indices` null: not an index equation. */
export interface LetStatement {
  readonly kind: 'let';
  readonly name: Name;
  readonly indices: readonly Index[] | null;
  readonly value: Expr;
  readonly span: Span;
}

/** `x = e`, `cache[b, s] = e`, `w -= e`. */
export interface AssignStatement {
  readonly kind: 'assign';
  readonly name: Name;
  readonly indices: readonly Index[] | null;
  readonly operator: '=' | '+=' | '-=' | '*=' | '/=';
  readonly value: Expr;
  readonly span: Span;
}

/** `param w: float[out, D] = normal()`, `carry h: float[B, n] = 0`, `carry a[b: B, s: n] = 0 where s == 0 else -inf`. One of `type`, `indices`. */
export interface LeafStatement {
  readonly kind: 'leaf';
  readonly leaf: 'param' | 'state' | 'carry';
  readonly name: Name;
  readonly type: TypeExpr | null;
  readonly indices: readonly Index[] | null;
  readonly value: Expr;
  readonly span: Span;
}

export interface RequireStatement {
  readonly kind: 'require';
  readonly condition: Expr;
  readonly message: string | null;
  readonly span: Span;
}

export interface IfStatement {
  readonly kind: 'if';
  readonly condition: Expr;
  readonly then: readonly Statement[];
  readonly otherwise: readonly Statement[] | null;
  readonly span: Span;
}

/** `return e`, or `return (mean: m, var: v)` as `fields`. */
export interface ReturnStatement {
  readonly kind: 'return';
  readonly value: Expr | null;
  readonly fields: readonly Argument[] | null;
  readonly span: Span;
}

/** `repeat n { }`, `repeat i < n { }`, `repeat width in [64, 128] { }`, each with an optional label `h: repeat …`. */
export interface RepeatStatement {
  readonly kind: 'repeat';
  readonly label: Name | null;
  readonly variable: Name | null;
  readonly count: Expr | null;
  readonly items: readonly Expr[] | null;
  readonly body: readonly Statement[];
  readonly span: Span;
}

/** `yield h` or, in an index equation, `yield out[b, n] = e`. */
export interface YieldStatement {
  readonly kind: 'yield';
  readonly name: Name | null;
  readonly indices: readonly Index[] | null;
  readonly value: Expr;
  readonly span: Span;
}

export interface UntilStatement {
  readonly kind: 'until';
  readonly condition: Expr;
  readonly span: Span;
}

/** The last expression of a body is its result; a `scan` may stand as a statement for its carries and yields. */
export interface ExpressionStatement {
  readonly kind: 'expression';
  readonly value: Expr;
  readonly span: Span;
}

export interface BadStatement {
  readonly kind: 'bad';
  readonly span: Span;
}

// ------------------------------------------------------------------------------------------------------------------- training

export type TrainStatement =
  | { readonly kind: 'input'; readonly name: Name; readonly type: TypeExpr; readonly span: Span }
  | LetStatement
  | LeafStatement
  | AssignStatement
  | RequireStatement
  | {
      readonly kind: 'minimize';
      readonly value: Expr;
      readonly over: readonly Name[] | null;
      readonly every: Expr | null;
      readonly span: Span;
    }
  | { readonly kind: 'metric'; readonly name: Name; readonly value: Expr; readonly span: Span }
  | {
      readonly kind: 'optimizer';
      readonly value: Expr;
      /** Selectors as written: `Critic`, `Generator`, `"h.*.weight"`. */
      readonly selectors: readonly Expr[] | null;
      readonly span: Span;
    }
  /** `gradient |> clip_norm(1)`: the stages after `gradient`. */
  | { readonly kind: 'gradient'; readonly stages: readonly Expr[]; readonly span: Span }
  | {
      readonly kind: 'batch';
      readonly size: Name;
      readonly value: Expr;
      readonly parts: Expr | null;
      readonly span: Span;
    }
  | { readonly kind: 'epochs'; readonly value: Expr; readonly span: Span }
  | { readonly kind: 'validate'; readonly arguments: readonly Argument[]; readonly span: Span }
  | { readonly kind: 'runs'; readonly value: Expr; readonly span: Span }
  | { readonly kind: 'precision'; readonly name: Name; readonly span: Span }
  | BadStatement;

// ----------------------------------------------------------------------------------------------------------------- expressions

export type Expr =
  | NumberExpr
  | BooleanExpr
  | StringExpr
  | NameExpr
  | UnaryExpr
  | BinaryExpr
  | WhereExpr
  | ElseExpr
  | PipeExpr
  | CallExpr
  | ReadExpr
  | ReduceExpr
  | MemberExpr
  | ListExpr
  | ScanExpr
  | WithExpr
  | BadExpr;

/** `inf` is a name, not a number. `integer` is false for `1e-3` and `2.0`. */
export interface NumberExpr {
  readonly kind: 'number';
  readonly value: number;
  readonly text: string;
  readonly integer: boolean;
  readonly span: Span;
}
export interface BooleanExpr {
  readonly kind: 'boolean';
  readonly value: boolean;
  readonly span: Span;
}
export interface StringExpr {
  readonly kind: 'string';
  readonly value: string;
  readonly span: Span;
}
export interface NameExpr {
  readonly kind: 'name';
  readonly name: string;
  readonly span: Span;
}
export interface UnaryExpr {
  readonly kind: 'unary';
  readonly operator: '-' | 'not';
  readonly operand: Expr;
  readonly span: Span;
}
export type BinaryOperator = '+' | '-' | '*' | '/' | '%' | '^' | '<' | '<=' | '>' | '>=' | '==' | '!=' | 'and' | 'or';
export interface BinaryExpr {
  readonly kind: 'binary';
  readonly operator: BinaryOperator;
  readonly operatorSpan: Span;
  readonly left: Expr;
  readonly right: Expr;
  readonly span: Span;
}
/** `value where condition`: undefined where the condition is false; always to the left of an `else` in a correct program. */
export interface WhereExpr {
  readonly kind: 'where';
  readonly value: Expr;
  readonly condition: Expr;
  readonly span: Span;
}
/** `left else right`: right exactly where left is undefined. */
export interface ElseExpr {
  readonly kind: 'else';
  readonly left: Expr;
  readonly right: Expr;
  readonly span: Span;
}
/** `value |> label: stage`. The stage is a name or a call (possibly of a member); the value becomes its first tensor argument. */
export interface PipeExpr {
  readonly kind: 'pipe';
  readonly value: Expr;
  readonly label: Name | null;
  readonly stage: Expr;
  readonly span: Span;
}
export interface Argument {
  readonly name: Name | null;
  readonly value: Expr;
  readonly span: Span;
}
/** `f(x)`; `Block(config)(tensors)` is a call whose callee is a call. */
export interface CallExpr {
  readonly kind: 'call';
  readonly callee: Expr;
  readonly arguments: readonly Argument[];
  readonly span: Span;
}
/** `x[b, stride * i + p - pad, (h e), ...s]`. */
export interface ReadExpr {
  readonly kind: 'read';
  readonly target: Expr;
  readonly indices: readonly Index[];
  readonly span: Span;
}
export type ReduceOperator =
  'sum' | 'max' | 'min' | 'mean' | 'prod' | 'any' | 'all' | 'argmax' | 'logsumexp' | 'softmax';
/** `sum[d, e: 3 where d <= t] product`. The operand is the product that follows. */
export interface ReduceExpr {
  readonly kind: 'reduce';
  readonly operator: ReduceOperator;
  readonly operatorSpan: Span;
  readonly indices: readonly IndexName[];
  readonly guard: Expr | null;
  readonly operand: Expr;
  readonly span: Span;
}
export interface MemberExpr {
  readonly kind: 'member';
  readonly target: Expr;
  readonly name: Name;
  readonly span: Span;
}
export interface ListExpr {
  readonly kind: 'list';
  readonly items: readonly Expr[];
  readonly span: Span;
}
/**
 * `scan x_t over x, y_t over y along T reversed { … }` (sources, along) or `scan n in N { … }` (variable, count).
 * Its value is what its one unnamed `yield` gives, stacked along the scanned axis at the axis's own place in the source
 * (`scan x_t over x along T` of `x: float[B, T, D]` yielding `[B, n]` gives `[B, T, n]`); named yields become visible after it.
 */
export interface ScanExpr {
  readonly kind: 'scan';
  readonly label: Name | null;
  readonly sources: readonly { readonly variable: Name; readonly sequence: Expr }[];
  readonly along: Name | null;
  readonly reversed: boolean;
  readonly variable: Name | null;
  readonly count: Expr | null;
  readonly body: readonly Statement[];
  readonly span: Span;
}
/** `m with r`, or `m with { selector |> f, … }` as `edits`. */
export interface WithExpr {
  readonly kind: 'with';
  readonly target: Expr;
  readonly record: Expr | null;
  readonly edits: readonly Expr[] | null;
  readonly span: Span;
}
export interface BadExpr {
  readonly kind: 'bad';
  readonly span: Span;
}

// --------------------------------------------------------------------------------------------------------------------- indices

/** A place in `[…]`: on the left of an equation only names, groups and runs; in a read any integer expression as well. */
export type Index = IndexName | IndexGroup | IndexExpression;

/** `b`, `h: heads`, `...s`, `...s: S`. In a read a bare name stands here too (also when it turns out to be a size or const). */
export interface IndexName {
  readonly kind: 'index';
  readonly name: Name;
  readonly extent: Expr | null;
  readonly run: boolean;
  readonly span: Span;
}
/** `(h e)`, `(h: heads e)`; the first varies slowest. */
export interface IndexGroup {
  readonly kind: 'group';
  readonly parts: readonly IndexName[];
  readonly span: Span;
}
export interface IndexExpression {
  readonly kind: 'expression';
  readonly value: Expr;
  readonly span: Span;
}
