// Text as it was written, with web addresses made into links. Text becomes text nodes and nothing else.

const address = /\bhttps?:\/\/[^\s<>"'`{}|\\^]+/gi;

export function linked(text: string): (Node | string)[] {
  const out: (Node | string)[] = [];
  let last = 0;
  for (const found of text.matchAll(address)) {
    let url = found[0].replace(/[.,;:!?…،。、]+$/, '');
    // A bracket that was opened before the address closes behind it.
    while (url.endsWith(')') && url.split(')').length > url.split('(').length) url = url.slice(0, -1);
    const a = link(url);
    if (!a) continue;
    out.push(text.slice(last, found.index), a);
    last = found.index + url.length;
  }
  out.push(text.slice(last));
  return out;
}

function link(url: string): HTMLAnchorElement | undefined {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return undefined;
  }
  if (!/^https?:$/.test(parsed.protocol)) return undefined;
  const a = document.createElement('a');
  a.href = parsed.href;
  a.target = '_blank';
  a.rel = 'noopener noreferrer nofollow ugc';
  a.textContent = url;
  return a;
}
