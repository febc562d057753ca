/**
 * Web interfaces, zot's and ours, say so in each request by a header. It opens nothing: a page asks for the password
 * itself, so that it is not challenged, and shows images to a person without pulling them.
 */
export function isPageClient(headers: Headers): boolean {
  return headers.has("x-zot-api-client");
}
