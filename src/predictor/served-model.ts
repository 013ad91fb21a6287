/** A network that answers, and how long it is needed. */
import type { ModelCard } from '../model/card';
import type { Network } from '../model/types';
import type { ModelVersion } from './types';

/** What tells a card's weights from all others. */
export function versionOf({ sha256, created }: Pick<ModelCard, 'sha256' | 'created'>): string {
  return sha256?.slice(0, 16) ?? created;
}

/** A network under its version. It is freed when it has been retired and the last image that needs it is answered. */
export class ServedModel {
  readonly network: Network;
  readonly version: ModelVersion;
  #uses = 0;
  #retired = false;

  constructor(network: Network, version: ModelVersion) {
    this.network = network;
    this.version = version;
  }

  /** Says that an image needs it; call the returned function once when it does not any more. */
  use(): () => void {
    this.#uses += 1;
    let used = true;
    return () => {
      if (!used) return;
      used = false;
      this.#uses -= 1;
      this.#freeIfDone();
    };
  }

  /** No further image will need it. */
  retire(): void {
    this.#retired = true;
    this.#freeIfDone();
  }

  /** Breaks off what it computes. */
  free(): void {
    this.#retired = true;
    this.network.dispose();
  }

  #freeIfDone(): void {
    if (this.#retired && this.#uses === 0) this.network.dispose();
  }
}
