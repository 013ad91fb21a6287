/** How often the owner of a folder shows a sign of life, and for how long another one looks for it. */

/** In milliseconds; a test shortens them. */
export const OWNER_TIMES = {
  /** Between two signs of life. */
  beat: 5_000,
  /** An owner who cannot be asked is taken for gone after this long without one; several must fit into it. */
  watch: 30_000,
  /** Between two looks meanwhile. */
  look: 500,
};
