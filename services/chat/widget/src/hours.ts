// Whether somebody is there: what the visitor reads while the desk is closed, and when it opens.

import type { Channel } from './channel';
import { h } from './dom';
import type { Language } from './languages';

export class Hours {
  readonly element = h('div', { class: 'hours', role: 'status', hidden: true });
  private key = '';

  /** draw tells whether the desk is closed. */
  draw(c: Channel | undefined, l: Language): boolean {
    const closed = !!c && !c.open;
    const key = closed ? JSON.stringify([c.away_text, c.opens_at, l.code]) : '';
    if (key !== this.key) {
      this.key = key;
      this.element.hidden = !closed;
      this.element.replaceChildren();
      if (closed) this.element.append(...says(c, l));
    }
    return closed;
  }
}

function says(c: Channel, l: Language): Node[] {
  const opens = c.opens_at ? l.words.opensAt.replace('{time}', when(new Date(c.opens_at), l)) : '';
  return [
    h('p', { class: 'what', dir: 'auto' }, c.away_text || l.words.awayText),
    h('p', {}, [opens, l.words.leaveMessage].filter((x) => x).join(' ')),
  ];
}

/** when is a time of today, of this week, or a date. */
function when(at: Date, l: Language): string {
  const days = (at.getTime() - Date.now()) / 86_400_000;
  const day: Intl.DateTimeFormatOptions =
    at.toDateString() === new Date().toDateString() ? {} : days < 6 ? { weekday: 'long' } : { weekday: 'long', day: 'numeric', month: 'long' };
  return new Intl.DateTimeFormat(l.code, { ...day, hour: 'numeric', minute: '2-digit' }).format(at);
}
