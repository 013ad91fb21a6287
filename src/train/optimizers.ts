/** The optimizers, one entry each: the schema of its options and their defaults. */
import { z } from 'zod';

/** Momentum of the steps, in [0, 1). */
const momentum = z.number().min(0).lt(1).optional();
/** Decay of the running means of the gradient and of its square, each in [0, 1). */
const betas = z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).optional();
/** Added to the divisor of a step, > 0. */
const epsilon = z.number().positive().finite().optional();

/**
 * To add an optimizer, add an entry here, its options to src/addon/types.ts and a case to
 * native/core/training/optimizer.cc. Options of the same name share one schema. The options reach the addon under their
 * names.
 */
export const OPTIMIZERS = {
  /** torch.optim.SGD. */
  sgd: {
    schema: {
      /** Momentum of the steps, in [0, 1); 0.9, with RMSprop 0, where left out. SGD and RMSprop. */
      momentum,
      /** Dampening of the momentum, in [0, 1]. SGD. */
      dampening: z.number().min(0).max(1).optional(),
      /** Nesterov momentum; needs momentum > 0 and dampening 0. SGD. */
      nesterov: z.boolean().optional(),
    },
    defaults: { learningRate: 0.01, weightDecay: 0, momentum: 0.9, dampening: 0, nesterov: false },
    /** Number of tensors of state for each parameter. */
    states: () => 1,
  },
  /** torch.optim.Adam: weight decay is added to the gradient. */
  adam: {
    schema: {
      /**
       * Decay of the running means of the gradient and of its square, each in [0, 1); 0.9 and 0.999 where left out.
       * Adam and AdamW.
       */
      betas,
      /** Added to the divisor of a step, > 0; 1e-8 where left out. Every optimizer but SGD. */
      epsilon,
    },
    defaults: { learningRate: 1e-4, weightDecay: 0, betas: [0.9, 0.999], epsilon: 1e-8 },
    states: () => 2,
  },
  /** torch.optim.AdamW: weight decay apart from the gradient. */
  adamw: {
    schema: { betas, epsilon },
    defaults: { learningRate: 1e-4, weightDecay: 0.01, betas: [0.9, 0.999], epsilon: 1e-8 },
    states: () => 2,
  },
  /** torch.optim.RMSprop: weight decay is added to the gradient. */
  rmsprop: {
    schema: {
      /** Smoothing of the running mean of the squared gradient, in [0, 1); 0.99 where left out. RMSprop. */
      alpha: z.number().min(0).lt(1).optional(),
      epsilon,
      momentum,
      /** Whether the gradient is divided by an estimate of its standard deviation. RMSprop. */
      centered: z.boolean().optional(),
    },
    defaults: { learningRate: 1e-4, weightDecay: 0, alpha: 0.99, epsilon: 1e-8, momentum: 0, centered: false },
    states: ({ momentum, centered }) => 1 + (momentum > 0 ? 1 : 0) + (centered ? 1 : 0),
  },
} satisfies Record<string, OptimizerEntry>;

interface OptimizerEntry {
  readonly schema: Readonly<Record<string, z.ZodType>>;
  readonly defaults: Readonly<Record<string, unknown>> & {
    readonly learningRate: number;
    readonly weightDecay: number;
  };
  readonly states: (settings: { readonly momentum: number; readonly centered: boolean }) => number;
}

/** Name of an optimizer. */
export type OptimizerName = keyof typeof OPTIMIZERS;

/** Names of the optimizers; the first is the default. */
export const OPTIMIZER_NAMES = Object.keys(OPTIMIZERS) as [OptimizerName, ...OptimizerName[]];

type Union<T> = T[keyof T];
type Intersection<T> = (T extends unknown ? (value: T) => void : never) extends (value: infer U) => void ? U : never;
type OptimizerSchema = Intersection<Union<{ [N in OptimizerName]: (typeof OPTIMIZERS)[N]['schema'] }>>;

/** Options of the optimizers together, as the Trainer's options take them in. */
export const optimizerShape = Object.assign(
  {
    /** Which optimizer steps; equal to the one of that name in torch.optim. */
    optimizer: z.enum(OPTIMIZER_NAMES).default('sgd'),
  },
  ...Object.values(OPTIMIZERS).map(({ schema }) => schema),
) as { optimizer: z.ZodDefault<z.ZodEnum<{ [N in OptimizerName]: N }>> } & OptimizerSchema;

/** The options of every optimizer, filled in. */
export type OptimizerSettings = {
  readonly [K in keyof OptimizerSchema]: NonNullable<z.output<OptimizerSchema[K]>>;
};

/** Returns the defaults of an optimizer; options that it does not have get the default of the first that has them. */
export function defaultsOf(name: OptimizerName): OptimizerSettings & { learningRate: number; weightDecay: number } {
  const others = Object.values(OPTIMIZERS).map(({ defaults }) => defaults);
  return Object.assign({}, ...others.toReversed(), OPTIMIZERS[name].defaults) as ReturnType<typeof defaultsOf>;
}

/** Returns the options that an optimizer has, out of the options of all. */
export function ownSettings(name: OptimizerName, settings: OptimizerSettings): Partial<OptimizerSettings> {
  const own = Object.keys(OPTIMIZERS[name].schema) as (keyof OptimizerSettings)[];
  return Object.fromEntries(own.map((key) => [key, settings[key]]));
}

/** Returns the number of tensors of state that an optimizer keeps for each parameter. */
export function stateTensors(name: OptimizerName, settings: OptimizerSettings): number {
  const { states }: OptimizerEntry = OPTIMIZERS[name];
  return states(settings);
}
