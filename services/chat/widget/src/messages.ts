// The list of messages. Elements are kept from one drawing to the next, so that focus and selection stay where they are.

import { h } from './dom';
import { Files } from './files';
import type { Language } from './languages';
import { linked } from './links';
import { readByDesk } from './marks';
import type { Attachment, Message, Model, Outgoing } from './model';

export interface Actions {
  retry(id: string): void;
  discard(id: string): void;
  older(): void;
}

interface Row {
  key: string; // the same row has the same key
  draw(): HTMLElement;
}

export class MessageList {
  readonly element = h('ol');
  private drawn = new Map<string, HTMLElement>();
  private language: Language | undefined;
  private greeting = '';

  private files: Files;

  constructor(private actions: Actions, server: string) {
    this.files = new Files(server);
  }

  draw(m: Model, language: Language, greeting: string): void {
    if (this.language !== language || this.greeting !== greeting) this.drawn.clear();
    this.language = language;
    this.greeting = greeting;
    const rows = this.rows(m, language, greeting);
    const next = new Map<string, HTMLElement>();
    for (const row of rows) next.set(row.key, this.drawn.get(row.key) ?? row.draw());
    let at: ChildNode | null = this.element.firstChild;
    for (const e of next.values()) {
      if (e === at) at = at.nextSibling;
      else this.element.insertBefore(e, at);
    }
    while (at) {
      const after: ChildNode | null = at.nextSibling;
      at.remove();
      at = after;
    }
    this.drawn = next;
  }

  private rows(m: Model, l: Language, greeting: string): Row[] {
    const w = l.words;
    const rows: Row[] = [];
    if (m.older) rows.push({ key: 'older', draw: () => h('li', { class: 'older' }, button(w.older, () => this.actions.older())) });
    else if (greeting) rows.push({ key: 'greeting', draw: () => h('li', { class: 'desk' }, h('div', { class: 'bubble', dir: 'auto' }, ...linked(greeting))) });
    let day = '';
    let by = '';
    const known = new Set<string>();
    const put = (kind: string, id: string, at: string, who: string, text: string, state = '', extra: () => Node[] = () => [], files?: (Attachment | File)[], part?: number): void => {
      const date = new Date(at);
      if (date.toDateString() !== day) {
        day = date.toDateString();
        rows.push({ key: `day ${day}`, draw: () => h('li', { class: 'day' }, dayName(date, l)) });
        by = '';
      }
      const turn = who !== by;
      by = who;
      const key = [kind, id, turn, state].join(' ');
      const attached = this.files.of(`${kind.split(' ')[0]} ${id}`, files, l, part);
      rows.push({ key, draw: () => message(kind, date, turn, who, text, state, l, extra(), attached) });
    };
    const read = readByDesk(m);
    for (const x of m.messages) {
      if (x.from === 'you') known.add(x.id);
      put(x.from, x.from === 'you' ? x.id : x.position, x.created_at, name(x, w), x.text, x.from === 'you' && x.id === read ? w.read : '', undefined, x.attachments);
    }
    for (const x of m.sent) {
      if (known.has(x.id)) continue;
      known.add(x.id);
      put('you', x.id, x.at, w.you, x.text, '', undefined, x.files);
    }
    for (const x of m.waiting) if (!known.has(x.id) && (x.to ?? '') === m.conversation) this.waiting(m, x, put, w);
    return rows;
  }

  private waiting(m: Model, x: Outgoing, put: (...a: [string, string, string, string, string, string, () => Node[], File[]?, number?]) => void, w: Language['words']): void {
    const failed = x.failed === 'attachment_too_large' ? `${w.failed}. ${w.large}` : w.failed;
    const state = x.failed ? failed : m.link === 'online' ? w.sending : w.waiting;
    const sending = !x.failed && m.link === 'online' && x === m.waiting.find((y) => !y.failed);
    const choices = (): Node[] =>
      x.failed ? [button(w.retry, () => this.actions.retry(x.id)), button(w.remove, () => this.actions.discard(x.id))] : [];
    put(x.failed ? 'you failed' : 'you waiting', x.id, x.at, w.you, x.text, state, choices, x.files, sending && x.files ? m.progress : undefined);
  }
}

function name(x: Message, w: Language['words']): string {
  return x.from === 'you' ? w.you : x.from === 'agent' ? w.agent : w.desk;
}

function message(kind: string, at: Date, turn: boolean, who: string, text: string, state: string, l: Language, extra: Node[], files?: Node): HTMLElement {
  const time = new Intl.DateTimeFormat(l.code, { hour: 'numeric', minute: '2-digit' }).format(at);
  const mine = kind.startsWith('you');
  return h(
    'li', { class: kind + (turn ? ' turn' : '') },
    h('span', { class: turn && !mine ? 'by' : 'quiet' }, who),
    text || !files ? h('div', { class: 'bubble', dir: 'auto' }, ...linked(text)) : undefined,
    files,
    h('div', { class: 'meta' }, h('time', { datetime: at.toISOString() }, time), state ? ` · ${state} ` : '', ...extra),
  );
}

function dayName(at: Date, l: Language): string {
  if (at.toDateString() === new Date().toDateString()) return l.words.today;
  return new Intl.DateTimeFormat(l.code, { weekday: 'long', day: 'numeric', month: 'long' }).format(at);
}

function button(text: string, click: () => void): HTMLButtonElement {
  const b = h('button', { type: 'button' }, text);
  b.addEventListener('click', click);
  return b;
}
