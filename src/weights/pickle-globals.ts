/**
 * The allowlist of globals that a checkpoint's pickle may name: those that `torch.load(weights_only=True)` accepts
 * (`_weights_only_unpickler.py` of PyTorch 2.13), and a few classes of plain data that training scripts save beside the
 * weights. A global only selects how its arguments are converted to plain data; no Python code is ever run.
 */

/** Storage types with the bytes per element. */
export const STORAGE_BYTES: Readonly<Record<string, number>> = {
  FloatStorage: 4,
  DoubleStorage: 8,
  HalfStorage: 2,
  BFloat16Storage: 2,
  LongStorage: 8,
  IntStorage: 4,
  ShortStorage: 2,
  CharStorage: 1,
  ByteStorage: 1,
  BoolStorage: 1,
  ComplexFloatStorage: 8,
  ComplexDoubleStorage: 16,
  QInt8Storage: 1,
  QUInt8Storage: 1,
  QInt32Storage: 4,
  QUInt4x2Storage: 1,
  QUInt2x4Storage: 1,
  UntypedStorage: 1,
};

/** Returns the storage type that a global names, e.g. `FloatStorage` for `torch.cuda.FloatStorage`; null for others. */
export function storageType(name: string): string | null {
  const type = /^torch\.(?:cuda\.|storage\.)?(\w+)$/.exec(name)?.[1];
  return type !== undefined && Object.hasOwn(STORAGE_BYTES, type) ? type : null;
}

const DTYPES =
  'float16 float32 float64 bfloat16 int8 int16 int32 int64 uint8 ' +
  'uint16 uint32 uint64 bool complex32 complex64 complex128 ' +
  'float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz ' +
  'float8_e8m0fnu float4_e2m1fn_x2 int1 int2 int3 int4 int5 ' +
  'int6 int7 uint1 uint2 uint3 uint4 uint5 uint6 uint7 bits16 bits1x8 bits2x4 bits4x2 bits8 qint32 qint8 quint2x4 ' +
  'quint4x2 quint8 per_channel_affine per_channel_affine_float_qparams per_channel_symmetric per_tensor_affine ' +
  'per_tensor_symmetric';
const PLAIN = 'bool int float str list dict tuple bytes object';

/** Globals that are allowed as a value or an argument, but must not be called. */
const VALUES = new Set([
  'torch.storage.TypedStorage',
  'torch.strided',
  'numpy.ndarray',
  ...DTYPES.split(' ').map((name) => `torch.${name}`),
  ...PLAIN.split(' ').map((name) => `builtins.${name}`),
]);

/** Tensor classes that the oldest files name. */
const TENSOR_CLASS =
  /^torch\.(?:cuda\.)?(?:sparse\.)?(?:BFloat16|Bool|Byte|Char|Double|Float|Half|Int|Long|Short)?Tensor$/;

/** What a call is converted to. */
export type Recipe =
  | 'dictionary'
  | 'tensor'
  | 'tensor-of-dtype'
  | 'first-argument'
  | 'size'
  | 'typed-tensor'
  | { readonly what: string; readonly isTensor: boolean };

const value = (what: string): Recipe => ({ what, isTensor: false });
const tensor = (what: string): Recipe => ({ what, isTensor: true });

const RECIPES: Readonly<Record<string, Recipe>> = {
  'collections.OrderedDict': 'dictionary',
  'collections.Counter': 'dictionary',
  'collections.defaultdict': 'dictionary',
  'torch._utils._rebuild_tensor': 'tensor',
  'torch._utils._rebuild_tensor_v2': 'tensor',
  'torch._utils._rebuild_tensor_v3': 'tensor-of-dtype',
  'torch._tensor._rebuild_from_type_v2': 'typed-tensor',
  'torch._utils._rebuild_parameter': 'first-argument',
  'torch._utils._rebuild_parameter_with_state': 'first-argument',
  'torch._utils._rebuild_device_tensor_from_cpu_tensor': 'first-argument',
  'torch.nn.parameter.Parameter': 'first-argument',
  'torch._utils._rebuild_qtensor': tensor('a quantized tensor'),
  'torch._utils._rebuild_sparse_tensor': tensor('a sparse tensor'),
  'torch._utils._rebuild_nested_tensor': tensor('a nested tensor'),
  'torch._utils._rebuild_meta_tensor_no_storage': tensor('a tensor without numbers (meta)'),
  'torch._utils._rebuild_wrapper_subclass': tensor("a tensor of another class than PyTorch's own"),
  'torch._utils._rebuild_device_tensor_from_numpy': tensor('a tensor kept as a NumPy array'),
  'torch.Size': 'size',
  'torch.device': value('a device'),
  'torch.serialization._get_layout': value('a layout'),
  '_codecs.encode': value('bytes'),
  'builtins.bytearray': value('bytes'),
  'builtins.set': value('a set'),
  'builtins.frozenset': value('a set'),
  'builtins.complex': value('a complex number'),
  'builtins.slice': value('a slice'),
  'builtins.range': value('a range'),
  // Beyond weights_only: classes of plain data that training scripts save beside the weights.
  'argparse.Namespace': value('the arguments of a command'),
  'types.SimpleNamespace': value('a namespace'),
  'numpy.dtype': value('a type of NumPy'),
  'numpy.core.multiarray.scalar': value('a number of NumPy'),
  'numpy._core.multiarray.scalar': value('a number of NumPy'),
  'numpy.core.multiarray._reconstruct': value('an array of NumPy'),
  'numpy._core.multiarray._reconstruct': value('an array of NumPy'),
  'pathlib.PosixPath': value('a path'),
  'pathlib.WindowsPath': value('a path'),
  'pathlib.Path': value('a path'),
  'pathlib._local.PosixPath': value('a path'),
  'pathlib._local.WindowsPath': value('a path'),
  'datetime.datetime': value('a time'),
  'datetime.timedelta': value('a span of time'),
  'pytorch_lightning.utilities.parsing.AttributeDict': value('a dictionary'),
  'lightning_fabric.utilities.data.AttributeDict': value('a dictionary'),
  'lightning.fabric.utilities.data.AttributeDict': value('a dictionary'),
};

/** Returns the qualified name of a global; Python 2's module names, which protocol 2 writes, become Python 3's. */
export function globalName(module: string, name: string): string {
  if (module === '__builtin__') return `builtins.${name === 'xrange' ? 'range' : name}`;
  return `${module}.${name}`;
}

/** Returns what a call of this global is converted to; null when it must not be called. */
export function recipeOf(name: string): Recipe | null {
  if (Object.hasOwn(RECIPES, name)) return RECIPES[name]!;
  return TENSOR_CLASS.test(name) ? tensor(`a ${name} of the oldest kind`) : null;
}

/** Whether a pickle may name this global. */
export function isKnownGlobal(name: string): boolean {
  return VALUES.has(name) || storageType(name) !== null || recipeOf(name) !== null;
}
