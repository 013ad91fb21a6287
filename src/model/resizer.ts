/** Resizes images on a native thread of its own, bit for bit as a transform's resize does in a step. */
import type { Pixels } from '../data/types';
import { loadNative } from '../addon/load';
import type { NativeResizer } from '../addon/types';
import { callAddon, callAddonSync } from '../addon/call';

/** One thread, begun at the first image; its priority is below that of the threads that compute. */
export class Resizer {
  #handle: NativeResizer | null = null;
  #disposed = false;

  /**
   * @param size in pixels, each side at least 1
   * @throws CovidCtError ERR_DISPOSED after dispose(); LibTorchNotFoundError and ERR_ADDON_* where the native part is
   *   missing
   */
  async resize(
    { data, height, width }: Pixels,
    size: { readonly height: number; readonly width: number },
  ): Promise<Pixels> {
    this.#handle ??= callAddonSync(() => new (loadNative().Resizer)());
    if (this.#disposed) this.#handle.dispose();
    const handle = this.#handle;
    return { data: await callAddon(() => handle.resize(data, height, width, size.height, size.width)), ...size };
  }

  /** Ends the thread; images under way are rejected with ERR_DISPOSED. May be called more than once. */
  dispose(): void {
    this.#disposed = true;
    this.#handle?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
