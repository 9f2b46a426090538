// Files on their way into a message: by button, paste and drop. What cannot be sent is refused here, and why is said.

import { h, icon } from './dom';
import { sized } from './files';
import type { Language } from './languages';

const most = 10; // files of a message
const largest = 10 << 20; // bytes of a file

export class Tray {
  private list = h('ul', { class: 'chosen' });
  private problem = h('p', { class: 'problem', role: 'alert' });
  private input = h('input', { type: 'file', multiple: true, hidden: true });
  private target = h('div', { class: 'drop', hidden: true });
  readonly button = h('button', { type: 'button', class: 'icon attach' }, icon('clip'));
  readonly element = h('div', { class: 'tray', hidden: true }, this.list, this.problem, this.input);
  private language: Language | undefined;
  files: File[] = [];

  /** changed is called when there is something else in it; say is read out; back puts focus where one writes on. */
  constructor(panel: HTMLElement, private changed: () => void, private say: (text: string) => void, private back: () => void) {
    panel.append(this.target);
    this.button.addEventListener('click', () => this.input.click());
    this.input.addEventListener('change', () => {
      const chosen = [...(this.input.files ?? [])];
      this.input.value = ''; // the same file may be chosen again
      void this.add(chosen);
    });
    panel.addEventListener('paste', (e) => {
      const data = e.clipboardData;
      if (!data?.files.length || data.types.includes('text/plain')) return; // a text that was copied often has a picture of itself
      e.preventDefault();
      void this.add([...data.files]);
    });
    const carries = (e: DragEvent): boolean => !!e.dataTransfer?.types.includes('Files');
    panel.addEventListener('dragover', (e) => {
      if (!carries(e)) return;
      e.preventDefault();
      (e.dataTransfer as DataTransfer).dropEffect = 'copy';
      this.target.hidden = false;
    });
    panel.addEventListener('dragleave', (e) => {
      if (!(e.relatedTarget instanceof Node) || !panel.contains(e.relatedTarget)) this.target.hidden = true;
    });
    panel.addEventListener('drop', (e) => {
      this.target.hidden = true;
      if (!carries(e)) return;
      e.preventDefault();
      void this.add([...(e.dataTransfer as DataTransfer).files]);
    });
  }

  apply(language: Language): void {
    this.language = language;
    this.button.setAttribute('aria-label', language.words.attach);
    this.button.setAttribute('title', language.words.attach);
    this.list.setAttribute('aria-label', language.words.attachments);
    this.target.textContent = language.words.drop;
    this.draw();
  }

  /** add takes files that can be sent, and says what is wrong with the others. */
  async add(files: File[]): Promise<void> {
    const w = (this.language as Language).words;
    const refused: string[] = [];
    const taken: string[] = [];
    for (const file of files) {
      if (this.files.length >= most) {
        refused.push(w.many);
        break;
      }
      if (file.size > largest) refused.push(`${file.name}: ${w.large}`);
      else if (!(await readable(file))) refused.push(`${file.name}: ${w.unreadable}`);
      else {
        this.files.push(file);
        taken.push(file.name);
      }
    }
    this.draw();
    this.problem.textContent = refused.join('\n');
    this.element.hidden = !this.files.length && !refused.length;
    this.changed();
    if (taken.length) this.say(`${w.attachments}: ${taken.join(', ')}`);
    this.back();
  }

  /** take empties it. */
  take(): File[] {
    const files = this.files;
    this.files = [];
    this.draw();
    return files;
  }

  private draw(): void {
    const l = this.language as Language;
    this.problem.textContent = '';
    this.element.hidden = !this.files.length;
    this.list.replaceChildren(...this.files.map((file) => {
      const remove = h('button', { type: 'button', 'aria-label': l.words.detach.replace('{name}', () => file.name) }, icon('close'));
      remove.addEventListener('click', () => {
        this.files = this.files.filter((x) => x !== file);
        this.draw();
        this.changed();
        this.back();
      });
      return h('li', {}, h('span', { class: 'name', dir: 'auto' }, file.name), h('span', { class: 'size' }, sized(file.size, l)), remove);
    }));
  }
}

/** readable tells whether there is something in a file: a folder that was dropped looks like one. */
async function readable(file: File): Promise<boolean> {
  try {
    return file.size > 0 && (await file.slice(0, 1).arrayBuffer()).byteLength > 0;
  } catch {
    return false;
  }
}
