// How far has been read, both ways. A mark never goes back, and says so of everything up to a message.

import type { Model } from './model';

/** How long the visitor has to look before the desk is told, in milliseconds: what comes together is told together. */
const pause = 800;

/** unmarked is the id of the last message of the desk that the visitor has seen, if the server does not know; else empty. */
export function unmarked(m: Model): string {
  let at = m.messages.findIndex((x) => x.position === m.seen);
  while (at >= 0 && m.messages[at].from === 'you') at--;
  return at >= 0 && at > m.messages.findIndex((x) => x.id === m.told) ? m.messages[at].id : '';
}

/** readByDesk is the id of the last of the visitor's messages that somebody at the desk has read; empty: none. */
export function readByDesk(m: Model): string {
  let at = m.messages.findIndex((x) => x.id === m.read);
  while (at >= 0 && m.messages[at].from !== 'you') at--;
  return at >= 0 ? m.messages[at].id : '';
}

/** later is whichever of two messages comes later; a mark of what is not loaded is older than all that is. */
export function later(m: Model, a: string, b: string): string {
  const at = (id: string): number => m.messages.findIndex((x) => x.id === id);
  return at(b) >= at(a) ? b : a;
}

/** How long it is left alone when it fails, in milliseconds. */
const again = 10_000;

/** Marks tells the server what the visitor has read, in the leading tab, until it knows. */
export class Marks {
  private timer = 0;
  private busy = false;
  private over = false;

  constructor(private post: (id: string) => Promise<boolean>) {}

  /** look is called when anything changed. */
  look(m: Model): void {
    if (this.over || this.busy || this.timer || m.link !== 'online' || !unmarked(m)) return;
    this.wait(m, pause);
  }

  stop(): void {
    this.over = true;
    clearTimeout(this.timer);
  }

  private wait(m: Model, ms: number): void {
    this.timer = window.setTimeout(() => void this.tell(m), ms);
  }

  private async tell(m: Model): Promise<void> {
    this.timer = 0;
    const id = unmarked(m);
    if (!id || m.link !== 'online') return;
    this.busy = true;
    const known = await this.post(id);
    this.busy = false;
    if (known) this.look(m);
    else if (!this.over) this.wait(m, again);
  }
}
