// The files of a message: each with its name and size, a link once the desk has it, and of an image a picture.
//
// A page's policy need not allow images, and an element for one would ask for it. So pictures are painted: the bytes come
// as all else does that the desk says, and the browser decodes them to a canvas. Only what the server has decoded as an
// image is fetched; anything else is never looked at.

import { h, icon } from './dom';
import type { Language } from './languages';
import type { Attachment } from './model';

const wide = 230; // how large a picture is at most, in pixels of the page
const high = 170;

/** sized is a number of bytes as people write it. */
export function sized(bytes: number, l: Language): string {
  const [unit, n] = bytes < 1000 ? ['byte', bytes] : bytes < 1e6 ? ['kilobyte', bytes / 1000] : ['megabyte', bytes / 1e6];
  const unitDisplay = unit === 'byte' ? 'long' : 'short'; // in short there are "7 byte"
  return new Intl.NumberFormat(l.code, { style: 'unit', unit: unit as string, unitDisplay, maximumFractionDigits: unit === 'megabyte' ? 1 : 0 }).format(n as number);
}

interface Drawn {
  element: HTMLElement;
  bar: HTMLProgressElement;
  list: HTMLElement;
  like: string; // what it shows
}

export class Files {
  private drawn = new Map<string, Drawn>();
  private pending = new WeakMap<Element, () => void>();
  private observer = new IntersectionObserver((all) => {
    for (const e of all) {
      if (!e.isIntersecting) continue;
      this.observer.unobserve(e.target);
      this.pending.get(e.target)?.();
    }
  });

  constructor(private server: string) {}

  /** of gives the element for the files of a message: always the same one, as the files are now. part is how much is sent. */
  of(key: string, files: (Attachment | File)[] | undefined, l: Language, part?: number): HTMLElement | undefined {
    if (!files?.length) return undefined;
    const d = this.drawn.get(key) ?? create();
    this.drawn.set(key, d);
    d.bar.hidden = part === undefined;
    d.bar.value = part ?? 0;
    d.bar.setAttribute('aria-label', l.words.sending);
    const like = JSON.stringify([l.code, ...files.map((f) => [f.name, f.size, link(f, this.server)])]);
    if (d.like === like) return d.element;
    d.like = like;
    const pictures = [...d.list.children].map((x) => x.querySelector('canvas'));
    d.list.replaceChildren(...files.map((f, i) => h('li', {}, this.file(f, l, pictures[i]))));
    return d.element;
  }

  private file(f: Attachment | File, l: Language, before: HTMLCanvasElement | null | undefined): HTMLElement {
    const href = link(f, this.server);
    const inner = [before ?? this.picture(f, href), h('span', { class: 'name', dir: 'auto' }, f.name), ' ', h('span', { class: 'size' }, sized(f.size, l))];
    if (!href) return h('span', { class: 'file' }, ...inner);
    return h('a', { class: 'file', href, target: '_blank', rel: 'noopener noreferrer' }, ...inner);
  }

  /** picture is painted when it can be seen; until then, and if it cannot be, there is a sign. */
  private picture(f: Attachment | File, href: string): Element {
    const sign = icon('file');
    const isImage = f instanceof File ? /^image\/(png|jpeg|gif|webp)$/.test(f.type) : !!f.width && !!href;
    if (!isImage || !self.createImageBitmap) return sign;
    const paint = async (): Promise<void> => {
      try {
        const blob = f instanceof File ? f : await (await fetch(href, { credentials: 'omit', referrerPolicy: 'no-referrer' })).blob();
        sign.replaceWith(await painted(blob, f instanceof File ? 0 : f.height ?? 0));
      } catch {
        // the sign stays
      }
    };
    this.pending.set(sign, () => void paint());
    this.observer.observe(sign);
    return sign;
  }
}

function create(): Drawn {
  const list = h('ul');
  const bar = h('progress', { max: '1', hidden: true });
  return { list, bar, element: h('div', { class: 'files' }, list, bar), like: '' };
}

function link(f: Attachment | File, server: string): string {
  if (f instanceof File) return '';
  const url = new URL(f.url, server);
  return /^https?:$/.test(url.protocol) ? url.href : '';
}

async function painted(blob: Blob, height: number): Promise<HTMLCanvasElement> {
  const sharp = Math.min(2, devicePixelRatio || 1);
  const bitmap = await createImageBitmap(blob, height > 2 * high ? { resizeHeight: 2 * high, resizeQuality: 'medium' } : {});
  const scale = Math.min(1, wide / bitmap.width, high / bitmap.height);
  const [width, tall] = [Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale))];
  const canvas = h('canvas', { 'aria-hidden': 'true' }); // its name stands below it
  canvas.width = width * sharp;
  canvas.height = tall * sharp;
  canvas.style.width = `${width}px`;
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}
