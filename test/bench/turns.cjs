/** What the benchmarks share: a child's last line as JSON, medians, and this process's peak memory in bytes. */
const { execFileSync } = require('node:child_process');
const { readFileSync } = require('node:fs');

const lastLine = (command, args) =>
  JSON.parse(
    execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
      .trim()
      .split('\n')
      .at(-1),
  );
const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
const median = (numbers) => sorted(numbers)[Math.floor(numbers.length / 2)];
const peak = () =>
  (process.platform === 'linux'
    ? Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1])
    : process.resourceUsage().maxRSS) * 1024;

module.exports = { lastLine, median, peak, sorted };
