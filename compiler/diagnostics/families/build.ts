/** Problems of elaboration and later stages, with concrete sizes: code → facts. The prose is in `../render/build.ts`. */
export interface BuildProblems {
  /** An input or a configuration that is known only when the program is built, of a model that is compiled by itself. */
  NN801: { readonly feature: string; readonly instead: string };
  /** A form that the elaborator cannot build; says which. */
  NN802: { readonly what: string };
  /** An instance made outside a loop and first called in it: its carry begins before the loop, with a value that only a round has. */
  NN803: { readonly name: string };
  /** A form that one of the targets asked for cannot run. */
  NN804: { readonly target: string; readonly unit: string; readonly what: string };
  /** A record of leaves that cannot be combined, or put into a layer, as asked. */
  NN805: { readonly what: string };
  /** A loss that looks at the batch in a way that cannot be added up over its parts. */
  NN806: { readonly op: string; readonly parts: number };
  /** A tensor, or a kernel's tensors together, over the limits of the GPU that is compiled for. */
  NN807: {
    readonly unit: string;
    /** The tensor, or the kernel. */
    readonly what: string;
    readonly over: 'binding' | 'buffers';
    readonly needed: number;
    readonly limit: number;
    /** Bindings that a kernel has. */
    readonly bindings: number;
  };
  /** Two leaves that a checkpoint map gives the same name. */
  NN809: { readonly name: string; readonly first: string; readonly second: string };
  /** An equation of a checkpoint map that is no bijection for a leaf's shape. */
  NN808: { readonly path: string; readonly what: string };
  /** `require` refuted with the sizes of this build. */
  NN150: { readonly condition: string; readonly message: string | null; readonly values: readonly string[] };
  /** An index letter whose extent nothing gives. */
  NN151: { readonly index: string };
  /** An option of `compile` that cannot be. */
  NN792: { readonly option: string; readonly value: string; readonly wanted: string };
  /** A value to expose that the model does not have. */
  NN793: { readonly path: string; readonly model: string; readonly known: readonly string[] };
  /** A rule of `weights` that does not fit the parameter it names, or names none. */
  NN794: { readonly path: string | null; readonly rule: string; readonly why: string };
  /** A train block with parameters that are to be stored in fewer bytes. */
  NN795: { readonly unit: string; readonly path: string; readonly count: number };
  /** The program declares no such model or train block. */
  NN790: { readonly name: string | null; readonly known: readonly string[] };
  /** Two selectors, or none, for a parameter; an optimizer that takes nothing. */
  NN791: { readonly what: 'no optimizer' | 'unmatched parameter' | 'empty selector'; readonly name: string };
  /** A draw or an initialiser where no shape is known. */
  NN152: { readonly name: string };
}
