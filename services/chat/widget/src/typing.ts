// Who is typing, both ways. Nothing of it is kept anywhere: it is worth nothing some seconds later.

import { h } from './dom';

/** How long somebody is seen typing, in milliseconds; the server says when it ends, by its own clock. */
const lasts = 6000;

/** How often it is said at most: often enough that it does not end in between. */
const every = 4000;

/** Typist tells when it is useful to say that the visitor is typing: while the text grows, and no more often than is seen. */
export class Typist {
  private length = 0;
  private said = -every;

  /** typed takes the text as it is now. */
  typed(text: string): boolean {
    const grows = text.length > this.length;
    this.length = text.length;
    const now = performance.now();
    if (!grows || !text.trim() || now - this.said < every) return false;
    this.said = now;
    return true;
  }

  /** over is called when the text was sent: the next one is typing anew. */
  over(): void {
    this.length = 0;
    this.said = -every;
  }
}

/** Seen keeps that somebody at the desk is typing until its time is over. */
export class Seen {
  private timer = 0;

  constructor(private change: (typing: boolean) => void) {}

  /** until takes the time that the server has given. A browser's clock may be off: what cannot be is as long as usual. */
  until(expires: string): void {
    const left = Date.parse(expires) - Date.now();
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.over(), left > 0 && left <= lasts ? left : lasts);
    this.change(true);
  }

  over(): void {
    clearTimeout(this.timer);
    this.timer = 0;
    this.change(false);
  }
}

/** How long it is not read out again, in milliseconds: who writes a long answer pauses often. */
const silence = 60_000;

/** TypingSign shows it below the messages. */
export class TypingSign {
  private text = h('span');
  readonly element = h('p', { class: 'typing', hidden: true }, h('span', { class: 'dots', 'aria-hidden': 'true' }, h('i'), h('i'), h('i')), this.text);
  private told = -silence;

  /** draw shows it or not, and tells whether it is to be read out now. */
  draw(typing: boolean, text: string): boolean {
    const begins = typing && this.element.hidden;
    this.element.hidden = !typing;
    if (this.text.textContent !== text) this.text.textContent = text;
    const now = performance.now();
    if (!begins || now - this.told < silence) return false;
    this.told = now;
    return true;
  }
}
