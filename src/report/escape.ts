/** Makes any text safe inside HTML and SVG. */

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Letters that XML forbids, escaped or not, become the replacement character: one of them makes a whole SVG unreadable.
 */
export function withoutForbidden(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd');
}

/** Escapes for text and quoted attributes. */
export function escapeXml(text: string): string {
  return withoutForbidden(text).replace(/[&<>"']/g, (letter) => ENTITIES[letter]!);
}
