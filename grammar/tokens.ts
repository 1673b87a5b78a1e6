/**
 * The words and signs of `.nn`.
 *
 * The lexer knows one kind of word. Which word is a keyword depends on where it stands (`model`, `over`, `state` are names elsewhere), so
 * `layout.ts` gives words their token types; the parser then needs no context and no more than three tokens of lookahead.
 */
import { createToken, Lexer, type TokenType } from 'chevrotain';

const virtual = (name: string, categories: TokenType[] = []): TokenType =>
  createToken({ name, pattern: Lexer.NA, categories });

// Categories.
export const InfixOperator = virtual('InfixOperator');
export const ArithmeticOperator = virtual('ArithmeticOperator', [InfixOperator]);
export const AssignOperator = virtual('AssignOperator');

// Ignored text.
const Space = createToken({
  name: 'Space',
  pattern: /[ \t\r\n\f\v\uFEFF\u00A0]+/,
  group: Lexer.SKIPPED,
  line_breaks: true,
});
const Comment = createToken({ name: 'Comment', pattern: /\/\/[^\r\n]*/, group: 'comments' });

// Names and literals.
export const Name = createToken({ name: 'Name', pattern: /[A-Za-z_][A-Za-z0-9_]*/ });
export const NumberLiteral = createToken({ name: 'Number', pattern: /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/ });
export const StringLiteral = createToken({ name: 'String', pattern: /"(?:[^"\\\r\n]|\\[^\r\n])*"/ });
export const OpenString = createToken({ name: 'OpenString', pattern: /"(?:[^"\\\r\n]|\\[^\r\n]|\\)*/ });

// Signs.
const sign = (name: string, pattern: string, ...categories: TokenType[]): TokenType =>
  createToken({ name, pattern, categories });

export const Pipe = sign('Pipe', '|>');
export const Arrow = sign('Arrow', '->');
export const Ellipsis = sign('Ellipsis', '...');
export const EqualEqual = sign('EqualEqual', '==', InfixOperator);
export const NotEqual = sign('NotEqual', '!=', InfixOperator);
export const LessEqual = sign('LessEqual', '<=', InfixOperator);
export const GreaterEqual = sign('GreaterEqual', '>=', InfixOperator);
export const PlusEqual = sign('PlusEqual', '+=', AssignOperator);
export const MinusEqual = sign('MinusEqual', '-=', AssignOperator);
export const StarEqual = sign('StarEqual', '*=', AssignOperator);
export const SlashEqual = sign('SlashEqual', '/=', AssignOperator);
export const Equal = sign('Equal', '=', AssignOperator);
export const Less = sign('Less', '<', InfixOperator);
export const Greater = sign('Greater', '>', InfixOperator);
export const Plus = sign('Plus', '+', ArithmeticOperator);
export const Minus = sign('Minus', '-', ArithmeticOperator);
export const Star = sign('Star', '*', ArithmeticOperator);
export const Slash = sign('Slash', '/', ArithmeticOperator);
export const Percent = sign('Percent', '%', ArithmeticOperator);
export const Caret = sign('Caret', '^', ArithmeticOperator);
export const Dot = sign('Dot', '.');
export const Comma = sign('Comma', ',');
export const Colon = sign('Colon', ':');
export const Semicolon = sign('Semicolon', ';');
export const LParen = sign('LParen', '(');
export const RParen = sign('RParen', ')');
export const LBracket = sign('LBracket', '[');
export const RBracket = sign('RBracket', ']');
export const LBrace = sign('LBrace', '{');
export const RBrace = sign('RBrace', '}');

// Signs of other languages, recognised so that the message can name ours.
/** Of a power elsewhere; in a path here, for anything. */
export const DoubleStar = sign('DoubleStar', '**');
const DoubleAnd = sign('DoubleAnd', '&&');
const DoubleOr = sign('DoubleOr', '||');
const Bang = sign('Bang', '!');
const SingleQuoted = createToken({ name: 'SingleQuoted', pattern: /'(?:[^'\\\r\n]|\\[^\r\n])*'/ });
const Hash = createToken({ name: 'Hash', pattern: /#[^\r\n]*/, group: 'hashes' });

// Placed by the layout pass.
export const Separator = virtual('Separator');
/** The `(` of an index group `(h e)`. */
export const GroupOpen = virtual('GroupOpen');
/** A reduction word that touches its bracket. */
export const Reduction = virtual('Reduction');
/** In place of a statement that the parser could not read, when its neighbours shall be read again without it. */
export const Hole = virtual('Hole');
/** The whole path `h.*.attn.weight` at the head of an entry of a checkpoint or storage. */
export const Path = virtual('Path');

// Reserved words.
export const Let = virtual('Let');
export const Return = virtual('Return');
export const Yield = virtual('Yield');
export const Repeat = virtual('Repeat');
export const Scan = virtual('Scan');
export const If = virtual('If');
export const Else = virtual('Else', [InfixOperator]);
export const Require = virtual('Require');
export const And = virtual('And', [InfixOperator]);
export const Or = virtual('Or', [InfixOperator]);
export const Not = virtual('Not');
export const Where = virtual('Where', [InfixOperator]);
export const True = virtual('True');
export const False = virtual('False');
export const Const = virtual('Const');
export const Import = virtual('Import');
/** `fn block` always; `model mask loss metric optimizer schedule` at the head of a declaration. */
export const CallableWord = virtual('CallableWord');

// Soft words, where they lead or join.
export const TrainWord = virtual('TrainWord');
export const CheckpointWord = virtual('CheckpointWord');
export const StorageWord = virtual('StorageWord');
export const LeafWord = virtual('LeafWord');
export const Until = virtual('Until');
export const Input = virtual('Input');
export const Minimize = virtual('Minimize');
export const MetricWord = virtual('MetricWord');
export const OptimizerWord = virtual('OptimizerWord');
export const Gradient = virtual('Gradient');
export const Batch = virtual('Batch');
export const Epochs = virtual('Epochs');
export const Validate = virtual('Validate');
export const Runs = virtual('Runs');
export const Precision = virtual('Precision');
export const Over = virtual('Over');
export const Every = virtual('Every');
export const Along = virtual('Along');
export const Reversed = virtual('Reversed');
export const In = virtual('In');
export const As = virtual('As');
export const For = virtual('For');
export const With = virtual('With');
export const From = virtual('From');
export const Parts = virtual('Parts');

export const reserved: ReadonlyMap<string, TokenType> = new Map([
  ['let', Let],
  ['return', Return],
  ['yield', Yield],
  ['repeat', Repeat],
  ['scan', Scan],
  ['if', If],
  ['else', Else],
  ['require', Require],
  ['and', And],
  ['or', Or],
  ['not', Not],
  ['where', Where],
  ['true', True],
  ['false', False],
  ['const', Const],
  ['import', Import],
  ['fn', CallableWord],
  ['block', CallableWord],
]);

/** Lead a declaration when a name follows. */
export const softDeclarations: ReadonlyMap<string, TokenType> = new Map([
  ['model', CallableWord],
  ['mask', CallableWord],
  ['loss', CallableWord],
  ['metric', CallableWord],
  ['optimizer', CallableWord],
  ['schedule', CallableWord],
  ['train', TrainWord],
  ['checkpoint', CheckpointWord],
  ['storage', StorageWord],
]);

/** Lead a statement of a `train` declaration. */
export const trainWords: ReadonlyMap<string, TokenType> = new Map([
  ['input', Input],
  ['minimize', Minimize],
  ['metric', MetricWord],
  ['optimizer', OptimizerWord],
  ['gradient', Gradient],
  ['batch', Batch],
  ['epochs', Epochs],
  ['validate', Validate],
  ['runs', Runs],
  ['precision', Precision],
]);

export const leafWords: ReadonlySet<string> = new Set(['param', 'state', 'carry']);

/** Join two operands; after an operand they cannot be names. */
export const joiningWords: ReadonlyMap<string, TokenType> = new Map([
  ['over', Over],
  ['every', Every],
  ['along', Along],
  ['reversed', Reversed],
  ['in', In],
  ['as', As],
  ['for', For],
  ['with', With],
  ['from', From],
  ['parts', Parts],
]);

export const reductionWords: ReadonlySet<string> = new Set([
  'sum',
  'max',
  'min',
  'mean',
  'prod',
  'any',
  'all',
  'argmax',
  'logsumexp',
  'softmax',
]);

/** Signs of other languages: what is meant, and how it is written here. */
export const foreign: ReadonlyMap<TokenType, { readonly type: TokenType; readonly use: string }> = new Map([
  [DoubleStar, { type: Caret, use: '^' }],
  [DoubleAnd, { type: And, use: 'and' }],
  [DoubleOr, { type: Or, use: 'or' }],
  [Bang, { type: Not, use: 'not ' }],
  [SingleQuoted, { type: StringLiteral, use: '"' }],
]);

// Longer signs before their prefixes: the lexer takes the first that matches.
const lexed: TokenType[] = [
  Space,
  Comment,
  Name,
  NumberLiteral,
  StringLiteral,
  OpenString,
  SingleQuoted,
  Hash,
  Pipe,
  DoubleAnd,
  DoubleOr,
  DoubleStar,
  Arrow,
  Ellipsis,
  EqualEqual,
  NotEqual,
  LessEqual,
  GreaterEqual,
  PlusEqual,
  MinusEqual,
  StarEqual,
  SlashEqual,
  Equal,
  Bang,
  Less,
  Greater,
  Plus,
  Minus,
  Star,
  Slash,
  Percent,
  Caret,
  Dot,
  Comma,
  Colon,
  Semicolon,
  LParen,
  RParen,
  LBracket,
  RBracket,
  LBrace,
  RBrace,
];

export const lexer = new Lexer(lexed, { positionTracking: 'onlyOffset', ensureOptimizations: true });

/** What the parser can see. Every token type, since Chevrotain wants the vocabulary of its grammar whole. */
export const vocabulary: TokenType[] = [
  InfixOperator,
  ArithmeticOperator,
  AssignOperator,
  ...lexed.filter((type) => type !== Space && type !== Comment && type !== Hash),
  Separator,
  GroupOpen,
  Reduction,
  Path,
  Hole,
  ...new Set([...reserved.values(), ...softDeclarations.values(), ...trainWords.values(), ...joiningWords.values()]),
  LeafWord,
  Until,
];
