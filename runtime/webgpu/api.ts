/**
 * As much of WebGPU as the runtime uses, as types of its own: an emitted module needs no type package, and Node's and a browser's WebGPU both fit.
 * The names are WebGPU's (https://www.w3.org/TR/webgpu/).
 */
export interface GpuLike {
  requestAdapter(options?: { powerPreference?: 'low-power' | 'high-performance' }): Promise<GpuAdapter | null>;
}

export interface GpuLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeWorkgroupStorageSize: number;
}

export interface GpuFeatures {
  has(name: string): boolean;
}

/** Of a driver; matrix units are Dawn's experiment. */
export interface GpuInfo {
  readonly subgroupMinSize?: number;
  readonly subgroupMaxSize?: number;
  readonly subgroupMatrixConfigs?: readonly {
    readonly componentType: string;
    readonly resultComponentType: string;
    readonly M: number;
    readonly N: number;
    readonly K: number;
  }[];
}

export interface GpuAdapter {
  readonly limits: GpuLimits;
  readonly features: GpuFeatures;
  readonly info: GpuInfo;
  requestDevice(options?: {
    label?: string;
    requiredFeatures?: readonly string[];
    requiredLimits?: Readonly<Record<string, number>>;
  }): Promise<GpuDevice>;
}

export interface GpuBuffer {
  readonly size: number;
  mapAsync(mode: number, offset?: number, size?: number): Promise<unknown>;
  getMappedRange(offset?: number, size?: number): ArrayBuffer;
  unmap(): unknown;
  destroy(): unknown;
}

export interface GpuMessage {
  readonly type: string;
  readonly message: string;
  readonly lineNum: number;
  readonly linePos: number;
}

export interface GpuShaderModule {
  getCompilationInfo(): Promise<{ readonly messages: readonly GpuMessage[] }>;
}

/** Things that are only handed on. */
export interface GpuHandle {
  readonly label: string;
}

export interface GpuPass {
  setPipeline(pipeline: GpuHandle): unknown;
  setBindGroup(index: number, group: GpuHandle, offsets?: readonly number[]): unknown;
  dispatchWorkgroups(x: number, y?: number, z?: number): unknown;
  dispatchWorkgroupsIndirect(buffer: GpuBuffer, offset: number): unknown;
  end(): unknown;
}

export interface GpuEncoder {
  beginComputePass(options?: { label?: string }): GpuPass;
  copyBufferToBuffer(from: GpuBuffer, fromOffset: number, to: GpuBuffer, toOffset: number, size: number): unknown;
  finish(): GpuHandle;
}

export interface GpuQueue {
  writeBuffer(
    buffer: GpuBuffer,
    offset: number,
    data: ArrayBuffer | ArrayBufferView,
    dataOffset?: number,
    size?: number,
  ): unknown;
  submit(buffers: readonly GpuHandle[]): unknown;
  onSubmittedWorkDone(): Promise<unknown>;
}

/** The constructor's name says what kind it is: GPUOutOfMemoryError, GPUValidationError, GPUInternalError. */
export interface GpuError {
  readonly message: string;
  readonly constructor: { readonly name: string };
}

export interface GpuDevice {
  readonly queue: GpuQueue;
  readonly limits: GpuLimits;
  readonly features: GpuFeatures;
  readonly adapterInfo: GpuInfo;
  readonly lost: Promise<{ readonly reason: string | undefined; readonly message: string }>;
  onuncapturederror: ((event: { readonly error: GpuError }) => void) | null;
  createBuffer(options: { label?: string; size: number; usage: number }): GpuBuffer;
  createShaderModule(options: { label?: string; code: string }): GpuShaderModule;
  createBindGroupLayout(options: { label?: string; entries: readonly object[] }): GpuHandle;
  createPipelineLayout(options: { bindGroupLayouts: readonly GpuHandle[] }): GpuHandle;
  createComputePipelineAsync(options: {
    label?: string;
    layout: GpuHandle;
    compute: { module: GpuShaderModule; entryPoint: string };
  }): Promise<GpuHandle>;
  createBindGroup(options: { label?: string; layout: GpuHandle; entries: readonly object[] }): GpuHandle;
  createCommandEncoder(options?: { label?: string }): GpuEncoder;
  pushErrorScope(kind: 'validation' | 'out-of-memory' | 'internal'): unknown;
  popErrorScope(): Promise<GpuError | null>;
  destroy(): unknown;
}
