/** Options of reports and pictures. */
import { z } from 'zod';

/**
 * Color maps of the Grad-CAM overlay; `inferno` keeps its order in gray
 * and for the color-blind, `jet` is the tutorial's.
 */
export const COLORMAPS = ['inferno', 'viridis', 'jet'] as const;

export const gradCamSelectionSchema = z.strictObject({
  /** The predicted class must have a probability above this. */
  threshold: z.number().min(0).lt(1).default(0.9),
  /** Images shown of each kind. */
  count: z.int().min(1).max(100).default(10),
});

export const heatOptionsSchema = z.strictObject({
  /** How much of the image the hottest place hides, in [0, 1]. */
  alpha: z.number().min(0).max(1).default(0.6),
  colormap: z.enum(COLORMAPS).default('inferno'),
});

export const captionedMontageSchema = z.strictObject({
  /** Tiles in a row. */
  columns: z.int().min(1).max(64).default(5),
  /** Side of a tile in pixels, without its caption. */
  tileSize: z.int().min(32).max(2048).default(224),
});

export const evaluationPicturesSchema = z.strictObject({
  /** The images of which Grad-CAM is shown. */
  gradCam: gradCamSelectionSchema.prefault({}),
  heat: heatOptionsSchema.prefault({}),
  montage: captionedMontageSchema.prefault({}),
  /** Layer that Grad-CAM looks at; the architecture's default without it. */
  layer: z.string().min(1).optional(),
});

/** How the pictures of an evaluation are drawn. */
export type EvaluationPictures = z.input<typeof evaluationPicturesSchema>;
export type GradCamSelection = z.input<typeof gradCamSelectionSchema>;
export type HeatOptions = z.input<typeof heatOptionsSchema>;
export type CaptionedMontageOptions = z.input<typeof captionedMontageSchema>;
