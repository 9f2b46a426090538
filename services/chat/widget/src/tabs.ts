// The tabs of one site: one of them leads, which holds the stream and empties the outbox. A lock of the browser's says
// which; when that tab goes, however it goes, the browser gives the lock to the next one.
//
// Where a browser has no such locks every tab leads for itself. That costs connections and nothing else: a message that
// two tabs send is one message to the server.

export class Tabs<M> {
  private channel: BroadcastChannel | undefined;
  private release: (() => void) | undefined;
  private abort = new AbortController();
  leading = false;

  constructor(private name: string, private shared: boolean, private heard: (m: M) => void) {}

  start(lead: () => void): void {
    const won = (): void => {
      this.leading = true;
      lead();
    };
    if (!this.shared || !navigator.locks || !window.BroadcastChannel) return won();
    this.channel = new BroadcastChannel(this.name);
    this.channel.onmessage = (e) => this.heard(e.data as M);
    navigator.locks
      .request(this.name, { signal: this.abort.signal }, () => {
        won();
        return new Promise<void>((release) => (this.release = release));
      })
      .catch(() => undefined);
  }

  /** tell says something to all other tabs. */
  tell(m: M): void {
    this.channel?.postMessage(m);
  }

  stop(): void {
    this.leading = false;
    this.abort.abort();
    this.release?.();
    this.channel?.close();
    this.channel = undefined;
  }
}
