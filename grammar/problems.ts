/** What the parser can complain about: code → facts. The prose is in `compiler/diagnostics/render/syntax.ts`. */
export interface SyntaxProblems {
  /** A character that begins no token. */
  NN001: { readonly character: string };
}
