/** Options of the native set-up. */
import { z } from 'zod';
import { callbackSchema } from '../options/atoms';
import { signalSchema } from '../options/check';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/i, 'expected 64 hexadecimal digits');
const progress = callbackSchema<(progress: never) => void>().optional();

export const installOptionsSchema = z.strictObject({
  env: z.record(z.string(), z.string().optional()).optional(),
  archive: z
    .strictObject({
      url: z.string().min(1),
      sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits'),
    })
    .optional(),
  wheelSha256: sha256.optional(),
  onProgress: progress,
  signal: signalSchema,
  connectTimeoutMs: z.int().min(1).optional(),
});

export const setUpOptionsSchema = z.strictObject({
  fetch: z.enum(['ifMissing', 'always', 'never']).optional(),
  force: z.boolean().optional(),
  wheelSha256: sha256.optional(),
  jobs: z.int().min(1).max(1024).optional(),
  onProgress: progress,
  signal: signalSchema,
});
