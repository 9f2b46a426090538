// What the desk asks before the first message, and that message with it. A browser's own validation is not used: its words
// are not the widget's, and screen readers lose them.

import type { Channel, Field } from './channel';
import { h } from './dom';
import type { Language } from './languages';
import type { Model } from './model';
import type { Settings } from './settings';

/** What the visitor has filled in: who they are, as the server takes it, and what they write. */
export interface Filled {
  profile: Record<string, string>;
  text: string;
}

/** As the server has it, so that what passes here is not refused there. */
const address = /^(?!\.)(?!.*\.\.)[^\s<>()[\]\\,;:"@]{1,63}[^\s<>()[\]\\,;:"@.]?@(localhost|([\p{L}\d]([\p{L}\d-]{0,61}[\p{L}\d])?\.)+[\p{L}\d]([\p{L}\d-]{0,61}[\p{L}\d])?)$/u;

type Input = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

interface Line {
  field?: Field; // none: the message
  label: string;
  input: Input;
  error: HTMLElement;
  element: HTMLElement;
}

/** left are the fields that the page has not answered already. */
function left(c: Channel | undefined, page: Settings): Field[] {
  return (c?.pre_chat_form ?? []).filter((f) => !(f.name === 'name' && page.name) && !(f.name === 'email' && page.email));
}

/** asks tells whether the form is to be filled in now: never while something was said already, and never twice. */
export function asks(m: Model, c: Channel | undefined, page: Settings): boolean {
  return !!left(c, page).length && m.loaded && !m.answered && m.status === 'none' && !m.messages.length && !m.waiting.length && !m.conversation && !m.sent.length;
}

export class Form {
  readonly element = h('form', { class: 'card', novalidate: true, hidden: true });
  private lines: Line[] = [];
  private key = '';
  private language: Language | undefined;

  constructor(private done: (f: Filled) => void) {
    this.element.addEventListener('submit', (e) => {
      e.preventDefault();
      this.submit();
    });
  }

  /** draw shows the form or hides it, and tells whether it has just come. What is filled in stays, in another language too. */
  draw(shown: boolean, c: Channel | undefined, page: Settings, l: Language): boolean {
    const came = shown && this.element.hidden;
    this.element.hidden = !shown;
    if (!shown || !c) return false;
    const fields = left(c, page);
    const key = JSON.stringify([fields, l.code]);
    if (key !== this.key) this.build(fields, l);
    this.key = key;
    return came;
  }

  focus(): void {
    this.lines[0]?.input.focus();
  }

  private build(fields: Field[], l: Language): void {
    const before = new Map(this.lines.map((x) => [x.field?.name, x.input.value]));
    const w = l.words;
    this.language = l;
    this.lines = fields.map((f, i) => line(f, f.label || own(f.name, w) || f.name, i, w));
    this.lines.push(line(undefined, w.yourMessage, fields.length, w));
    for (const x of this.lines) {
      x.input.value = before.get(x.field?.name) ?? '';
      x.input.addEventListener('input', () => x.input.getAttribute('aria-invalid') && this.check(x));
    }
    this.element.setAttribute('aria-label', w.formTitle);
    this.element.replaceChildren(
      h('p', { class: 'lead' }, w.formTitle), ...this.lines.map((x) => x.element),
      h('button', { type: 'submit', class: 'main' }, w.startChat),
    );
  }

  private check(x: Line): boolean {
    const w = (this.language as Language).words;
    const value = x.input.value.trim();
    let says = '';
    if (!value) says = !x.field || x.field.required ? w.required : '';
    else if (x.field?.input === 'email' && !address.test(value)) says = w.badEmail;
    x.error.textContent = says;
    x.error.hidden = !says;
    if (says) x.input.setAttribute('aria-invalid', 'true');
    else x.input.removeAttribute('aria-invalid');
    return !says;
  }

  private submit(): void {
    const wrong = this.lines.filter((x) => !this.check(x));
    if (wrong.length) return wrong[0].input.focus(); // its error is read with it
    const profile: Record<string, string> = {};
    const said: string[] = [];
    let text = '';
    for (const x of this.lines) {
      const value = x.input.value.trim();
      if (!x.field) text = value;
      else if (x.field.name === 'name' || x.field.name === 'email') {
        if (value) profile[x.field.name] = value;
      } else if (value) said.push(`${x.label}: ${value}`);
    }
    // A session knows a name and an address. What else was asked stands above what the visitor writes.
    this.done({ profile, text: said.length ? `${said.join('\n')}\n\n${text}` : text });
  }
}

function own(name: string, w: Language['words']): string {
  return name === 'name' ? w.name : name === 'email' ? w.email : name === 'phone' ? w.phone : '';
}

function line(f: Field | undefined, label: string, i: number, w: Language['words']): Line {
  const id = `asked-${i}`;
  const required = !f || f.required;
  const attributes = { id, 'aria-describedby': `${id}-error`, 'aria-required': required ? 'true' : undefined, dir: 'auto' };
  let input: Input;
  if (!f) input = h('textarea', { ...attributes, class: 'box', rows: '3', maxlength: '6000' });
  else if (f.input === 'choice') {
    input = h('select', { ...attributes, class: 'box' }, h('option', { value: '' }, w.choose));
    for (const o of f.options ?? []) {
      const option = h('option', {}, o);
      option.value = o;
      input.append(option);
    }
    input.options[0].value = '';
  } else {
    const type = { text: 'text', email: 'email', phone: 'tel' }[f.input] ?? 'text';
    const fill = { name: 'name', email: 'email', phone: 'tel' }[f.name] ?? 'off';
    input = h('input', { ...attributes, class: 'box', type, autocomplete: fill, maxlength: f.input === 'email' ? '254' : '200' });
  }
  const error = h('p', { class: 'error', id: `${id}-error`, hidden: true });
  const name = h('label', { for: id }, label, required ? undefined : h('span', { class: 'soft' }, ` ${w.optional}`));
  return { field: f, label, input, error, element: h('div', { class: 'line' }, name, input, error) };
}
