/** What the system's dynamic linker says, and what it means here. */
import { buildCommand } from './package-root';

const ADVICE: readonly { pattern: RegExp; advice: (command: string) => string }[] = [
  {
    pattern:
      /lib(cudart|cublas|cublasLt|cudnn|cufft|curand|cusolver|cusparse|cusparseLt|nccl|nvrtc|nvToolsExt|nvJitLink|nvshmem\w*|cupti|cufile|cuda)\b[^:]*: cannot open shared object/,
    advice: () =>
      "this LibTorch is built for CUDA and NVIDIA's libraries are not there: " +
      'install its wheel with pip, which brings them, or use a CPU LibTorch',
  },
  {
    pattern:
      /(lib(torch|c10)\w*\.(so|dylib))[^:]*: (cannot open shared object|image not found)|Library not loaded:.*lib(torch|c10)/,
    advice: (command) => `the LibTorch it was built for has been moved or is incomplete: run \`${command}\``,
  },
  {
    pattern: /undefined symbol|symbol not found|Symbol not found/,
    advice: (command) => `it was built for another LibTorch than the one that is loaded: run \`${forced(command)}\``,
  },
  {
    pattern: /GLIBC(XX)?_[\d.]+' not found|CXXABI_[\d.]+' not found/,
    advice: () =>
      "this system's C or C++ library is older than LibTorch needs (glibc 2.28): use a newer system or container",
  },
  {
    pattern: /static TLS block/,
    advice: () =>
      'too many large libraries were loaded before it: load it earlier, ' +
      'or start node with LD_PRELOAD set to the library that is named',
  },
  {
    pattern: /invalid ELF header|wrong ELF class|mach-o|incompatible architecture|cannot execute/i,
    advice: (command) => `it was built for another platform: run \`${command}\``,
  },
];

/** The same command from nothing: npm needs `--` before a script's own flags. */
export function forced(command: string): string {
  return `${command} ${command.startsWith('npm run') ? '-- ' : ''}--force`;
}

/** What to do about a message of the system's dynamic linker. */
export function loadAdvice(message: string, command: string = buildCommand()): string {
  return (
    ADVICE.find(({ pattern }) => pattern.test(message))?.advice(command) ??
    `run \`${command}\`, and \`npx covidct doctor\` to see what is there`
  );
}
