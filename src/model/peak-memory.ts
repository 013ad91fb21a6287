/** The most memory this process ever held. */
import { readFileSync } from 'node:fs';

/** In bytes. (On Linux getrusage also counts the parent's, from before exec.) */
export function peakMemory(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}
