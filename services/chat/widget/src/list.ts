// The visitor's conversations: those that are over too. One is chosen to read it or to write on; a new one begins with its
// first message.

import { h } from './dom';
import type { Language } from './languages';
import { gist, type Message, type Model } from './model';

/** A conversation at a glance, as the server lists it. */
export interface Glance {
  id: string;
  status: 'open' | 'closed';
  started_at: string;
  last_message: Message | null;
  unread: number;
  read_up_to: string;
  seen_up_to: string;
}

/** The conversation that a message begins, until the server has told its id: "new:" and the id of its first message. */
export const beginning = (conversation: string): boolean => conversation.startsWith('new:');

export class List {
  readonly element = h('div', { class: 'list', role: 'region', hidden: true });
  private key = '';
  shown = false;

  constructor(private choose: (id: string) => void, private another: () => void) {}

  draw(m: Model, l: Language): void {
    this.element.hidden = !this.shown;
    const key = JSON.stringify([m.list, m.unlisted, m.conversation, l.code]);
    if (!this.shown || key === this.key) return;
    const within = this.element.contains((this.element.getRootNode() as ShadowRoot).activeElement);
    this.key = key;
    const w = l.words;
    this.element.setAttribute('aria-label', w.conversations);
    const rows = (m.list ?? []).map((g) => h('li', {}, this.row(g, l)));
    const begin = h('button', { type: 'button', class: 'main' }, w.another);
    begin.addEventListener('click', () => this.another());
    this.element.replaceChildren(
      ...(m.unlisted ? [h('p', { role: 'status' }, w.unlisted)] : m.list ? [] : [h('p', { role: 'status' }, w.connecting)]), h('ul', {}, ...rows), begin,
    );
    if (within) this.focus();
  }

  focus(): void {
    this.element.querySelector('button')?.focus();
  }

  private row(g: Glance, l: Language): HTMLElement {
    const w = l.words;
    const m = g.last_message;
    const date = new Date(m?.created_at ?? g.started_at);
    const today = date.toDateString() === new Date().toDateString();
    const at = new Intl.DateTimeFormat(l.code, today ? { hour: 'numeric', minute: '2-digit' } : { day: 'numeric', month: 'short' }).format(date);
    const b = h(
      'button', { type: 'button' },
      h('span', { class: 'gist', dir: 'auto' }, m?.from === 'you' ? `${w.you}: ` : '', m ? gist(m) : ''),
      h('span', { class: 'soft' }, at, g.status === 'closed' ? ` · ${w.ended}` : ''),
      g.unread ? h('span', { class: 'count' }, w.unread.replace('{n}', String(g.unread))) : undefined,
    );
    b.addEventListener('click', () => this.choose(g.id));
    return b;
  }
}
