// Small parts of HTTP header fields: Link, Content-Type, ETag lists.
//
// Everything that is emitted is built from encoded parts, so that no value can break out of its
// field. Everything that is read costs linear time and never throws.

/**
 * The Link field that leads to the next page (RFC 8288). `target` must be a valid URL or path without query;
 * names and values of the query are encoded here.
 */
export function nextLink(target: string, query: [string, string][]): string {
  const pairs = query.map(([name, value]) => `${encode(name)}=${encode(value)}`);
  return `<${target}?${pairs.join("&")}>; rel="next"`;
}

/** Percent-encodes a part of a query. Half of a surrogate pair, which has no encoding, becomes U+FFFD. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

const token = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
const quoted = String.raw`"(?:[\t !#-[\]-~]|\\[\t -~])*"`;
const parameter = `${token}=(?:${token}|${quoted})`;
const essence = "[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}";
const essencePattern = new RegExp(`^${essence}$`);
/** Blanks belong to one semicolon or to one parameter, never to either: so that a long run of them costs linear time. */
const mediaTypePattern = new RegExp(`^${essence}(?:[ \t]*;(?:[ \t]*${parameter})?)*$`);

/** Characters of a media type with its parameters. */
const mediaTypeLengthMax = 1024;

/** Tells whether the text is a media type, with or without parameters (RFC 6838 §4.2, RFC 9110 §8.3.1). */
export function isMediaType(text: string): boolean {
  return text.length <= mediaTypeLengthMax && mediaTypePattern.test(text);
}

/**
 * Reads the media type of a Content-Type field and drops its parameters; the case stays as given.
 * Returns null when the field is absent or is no media type.
 */
export function parseMediaType(header: string | null): string | null {
  if (header === null) return null;
  const text = withoutParameters(header);
  return essencePattern.test(text) ? text : null;
}

function withoutParameters(text: string): string {
  const end = text.indexOf(";");
  return (end === -1 ? text : text.slice(0, end)).trim();
}

/** The part of a media type that says what it is, to be compared: in lower case, without parameters. */
export function essenceOf(mediaType: string): string {
  return withoutParameters(mediaType).toLowerCase();
}

/** The next of a list of entity tags: weak or not, quoted, or bare as old docker engines send it. */
const nextEntityTag = /[ \t,]*(?:W\/)?(?:"([^"]*)"|([^\s,"]+))/y;

/**
 * Tells whether an If-None-Match or If-Match field names this entity tag (RFC 9110 §13.1), which is
 * passed without its quotes. `*` names every one. Weakness is not looked at: our tags are digests,
 * and equal digests are equal bytes. A malformed field names what stands before the fault.
 */
export function matchesEntityTag(header: string, entityTag: string): boolean {
  if (header.trim() === "*") return true;
  nextEntityTag.lastIndex = 0;
  for (;;) {
    const match = nextEntityTag.exec(header);
    if (match === null) return false;
    if ((match[1] ?? match[2]) === entityTag) return true;
  }
}
