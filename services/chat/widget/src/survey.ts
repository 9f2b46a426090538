// How it went: what the visitor answers is kept in the browser until the server has it, as messages are; and the card that
// asks. One answer waits at a time: a later one takes its place.

import { Away, call, Refusal } from './http';
import { h } from './dom';
import type { Language } from './languages';
import type { Model } from './model';
import type { Store } from './store';

/** A survey as the server tells of it. */
export interface Survey {
  id: string;
  status: 'waiting' | 'answered' | 'expired' | 'excused';
  question?: string;
  expires_at?: string;
  score?: number;
  comment?: string;
  changeable_until?: string;
}

/** What the visitor has answered and the server has not taken yet. */
export interface Rating {
  id: string; // the survey's
  score: number;
  comment: string;
  failed?: string; // the code of a refusal
}

/** told is the survey after the stream told of one: an event says only what is new. */
export function told(now: Survey | undefined, news: Survey): Survey | undefined {
  if (news.status === 'waiting') return news;
  if (now?.id !== news.id) return now;
  if (news.status === 'excused') return undefined;
  return { ...news, question: now.question, expires_at: now.expires_at };
}

/** What the leading tab sends with. */
export interface Line {
  url(path: string): string;
  token(): Promise<string>;
  expired(code: string): Promise<void>; // the session is none any more
  model(): Model;
  set(change: Partial<Model>): void;
}

const longest = 30_000; // between two tries, in milliseconds

export class Ratings {
  private sending = false;
  private tries = 0;
  private timer = 0;

  constructor(private store: Store, private line: Line) {}

  keep(r: Rating | undefined): Promise<void> {
    return this.store.put('rating', r);
  }

  kept(): Promise<Rating | undefined> {
    return this.store.get<Rating>('rating');
  }

  stop(): void {
    clearTimeout(this.timer);
    this.sending = true;
  }

  /** flush sends the answer that waits, and tries again later if nobody heard it. */
  async flush(): Promise<void> {
    if (this.sending) return;
    const r = await this.kept();
    if (JSON.stringify(r) !== JSON.stringify(this.line.model().rating)) this.line.set({ rating: r });
    if (!r || r.failed || this.sending) return;
    this.sending = true;
    clearTimeout(this.timer);
    let wait = 0;
    try {
      const body = { score: r.score, ...(r.comment ? { comment: r.comment } : {}) };
      const answered = await call<Survey>(this.line.url(`surveys/${encodeURIComponent(r.id)}`), { token: await this.line.token(), body });
      this.tries = 0;
      const now = this.line.model().survey;
      if (now?.id === r.id) this.line.set({ survey: told(now, answered) });
      await this.settle(r, undefined);
    } catch (e) {
      if (e instanceof Refusal && e.status === 401) await this.line.expired(e.code);
      if (e instanceof Refusal && e.status !== 401 && e.status !== 429) await this.settle(r, e.code);
      else wait = Math.max(Math.min(longest, 1000 * 2 ** Math.min(this.tries++, 10)), e instanceof Away || e instanceof Refusal ? e.retryAfter : 0);
    }
    this.sending = false;
    if (wait) this.timer = window.setTimeout(() => void this.flush(), wait);
    else void this.flush(); // the visitor may have changed their mind meanwhile
  }

  /** settle says what became of an answer, unless the visitor has given another one by now. */
  private async settle(r: Rating, failed: string | undefined): Promise<void> {
    const now = await this.kept();
    if (!now || now.score !== r.score || now.comment !== r.comment || now.id !== r.id) return;
    const next = failed ? { ...r, failed } : undefined;
    await this.keep(next);
    this.line.set({ rating: next });
  }
}

/** What the card shows. */
type State = 'none' | 'ask' | 'kept' | 'thanks' | 'over' | 'failed';

/** stateOf says what there is to show at a moment. Nothing is, while the conversation goes on. */
export function stateOf(m: Model, now: number): State {
  const s = m.survey;
  if (!s || m.status !== 'closed') return 'none';
  if (m.rating?.id === s.id) {
    if (!m.rating.failed) return 'kept';
    return m.rating.failed.startsWith('survey_') ? 'over' : 'failed';
  }
  if (s.status === 'answered') return 'thanks';
  return s.status === 'waiting' && (!s.expires_at || Date.parse(s.expires_at) > now) ? 'ask' : 'none';
}

export class SurveyCard {
  readonly element = h('form', { class: 'card survey', novalidate: true, hidden: true });
  private key = '';
  private changing = ''; // the survey whose answer the visitor is changing
  private model: Model | undefined;
  private language: Language | undefined;
  private timer = 0;

  constructor(private rate: (r: Rating) => void, private announce: (text: string) => void) {
    this.element.addEventListener('submit', (e) => {
      e.preventDefault();
      this.submit();
    });
  }

  draw(m: Model, l: Language): void {
    this.model = m;
    this.language = l;
    clearTimeout(this.timer);
    const now = Date.now();
    let state = stateOf(m, now);
    const s = m.survey;
    const until = Date.parse(s?.changeable_until ?? '');
    const may = state === 'thanks' && until > now;
    if (!may) this.changing = '';
    if (may && this.changing === s?.id) state = 'ask';
    // What ends by the clock is drawn again then; a day is longer than a timer needs to last.
    const ends = (state === 'ask' && !this.changing ? Date.parse(s?.expires_at ?? '') : until) - now;
    if (ends > 0) this.timer = window.setTimeout(() => this.draw(m, l), Math.min(ends + 50, 86_400_000));
    const key = JSON.stringify([state, s?.id, s?.score, s?.question, may, l.code, state === 'kept' && m.link === 'online']);
    if (key === this.key) return;
    const focused = this.element.contains((this.element.getRootNode() as ShadowRoot).activeElement);
    this.key = key;
    this.element.hidden = state === 'none';
    this.element.replaceChildren(...this.parts(state, may));
    if (state === 'ask' && !this.changing) this.announce(this.question());
    else if (focused) this.element.querySelector<HTMLElement>('.said')?.focus();
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private question(): string {
    return this.model?.survey?.question || (this.language as Language).words.rate;
  }

  private parts(state: State, may: boolean): Node[] {
    const w = (this.language as Language).words;
    const s = this.model?.survey;
    const said = (text: string, ...more: (Node | undefined)[]): Node[] =>
      [h('p', { class: 'said', tabindex: '-1', role: 'status' }, text), ...more.filter((x): x is Node => !!x)];
    const score = this.model?.rating?.score ?? s?.score;
    switch (state) {
      case 'none':
        return [];
      case 'ask':
        return this.form();
      case 'kept':
        return said(this.model?.link === 'online' ? w.sending : w.waiting, given(score));
      case 'thanks':
        return said(w.thanks, given(score), may ? button(w.change, () => this.change()) : undefined);
      case 'over':
        return said(w.ratingOver);
      case 'failed':
        return said(w.failed, button(w.retry, () => this.rate({ ...(this.model?.rating as Rating), failed: undefined })));
    }
  }

  private form(): Node[] {
    const w = (this.language as Language).words;
    const s = this.model?.survey;
    const scale = [1, 2, 3, 4, 5].map((n) => {
      const input = h('input', { type: 'radio', name: 'score', value: String(n), 'aria-describedby': 'score-error' });
      input.checked = s?.score === n;
      input.addEventListener('change', () => this.complain(''));
      const word = n === 1 ? w.worst : n === 5 ? w.best : '';
      return h('label', {}, input, h('span', {}, String(n)), word ? h('span', { class: 'quiet' }, ` ${word}`) : undefined);
    });
    const comment = h('textarea', { id: 'comment', class: 'box', rows: '2', maxlength: '2000', dir: 'auto' });
    comment.value = s?.comment ?? '';
    return [
      h('fieldset', {}, h('legend', { dir: 'auto' }, this.question()), h('div', { class: 'scale' }, ...scale),
        h('div', { class: 'ends', 'aria-hidden': 'true' }, h('span', {}, w.worst), h('span', {}, w.best))),
      h('p', { class: 'error', id: 'score-error', hidden: true }),
      h('div', { class: 'line' }, h('label', { for: 'comment' }, w.comment, h('span', { class: 'soft' }, ` ${w.optional}`)), comment),
      h('button', { type: 'submit', class: 'main' }, w.send),
    ];
  }

  private change(): void {
    this.changing = this.model?.survey?.id ?? '';
    if (this.model && this.language) this.draw(this.model, this.language);
    this.element.scrollIntoView({ block: 'nearest' });
    this.element.querySelector<HTMLInputElement>('input:checked')?.focus({ preventScroll: true });
  }

  private complain(text: string): void {
    const error = this.element.querySelector<HTMLElement>('.error');
    if (!error) return;
    error.textContent = text;
    error.hidden = !text;
  }

  private submit(): void {
    const first = this.element.querySelector<HTMLInputElement>('input');
    const chosen = this.element.querySelector<HTMLInputElement>('input:checked');
    const s = this.model?.survey;
    if (!first || !s) return;
    if (!chosen) {
      this.complain((this.language as Language).words.choose);
      return first.focus(); // the error is read with it
    }
    const comment = this.element.querySelector('textarea')?.value.trim() ?? '';
    this.changing = '';
    this.rate({ id: s.id, score: Number(chosen.value), comment });
  }
}

/** given is the score that was given, as it was chosen. */
function given(score: number | undefined): HTMLElement | undefined {
  if (!score) return undefined;
  return h('div', { class: 'given', role: 'img', 'aria-label': `${score} / 5` }, ...[1, 2, 3, 4, 5].map((n) => h('i', n === score ? { class: 'on' } : {}, String(n))));
}

function button(text: string, click: () => void): HTMLButtonElement {
  const b = h('button', { type: 'button', class: 'second' }, text);
  b.addEventListener('click', click);
  return b;
}
