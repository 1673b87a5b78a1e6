export const webgpuText = { typescript: '', javascript: '', declarations: '' } as const;
