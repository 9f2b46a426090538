// The page's colour, and what can be read on it.

/** rgb reads #rgb and #rrggbb. */
function rgb(color: string): number[] | undefined {
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(color);
  const long = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color);
  const parts = short ? short.slice(1).map((x) => x + x) : long?.slice(1);
  return parts?.map((x) => parseInt(x, 16) / 255);
}

/** luminance as WCAG 2 has it. */
function luminance(color: number[]): number {
  const [r, g, b] = color.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** accent is the colour and a text colour with a contrast of at least 4.5 on it: one of black and white always has that. */
export function accent(color: string | undefined): [string, string] | undefined {
  const parsed = color ? rgb(color) : undefined;
  if (!parsed) return undefined;
  return [color as string, 1.05 / (luminance(parsed) + 0.05) >= 4.5 ? '#ffffff' : '#000000'];
}
