/** The part of an emitted module that differs from program to program: its kernels. */
export function kernelText(code: string): string {
  const end = code.indexOf('// Each kernel with its arrays');
  return code.slice(0, end < 0 ? code.indexOf('const plan') : end).trimEnd();
}
