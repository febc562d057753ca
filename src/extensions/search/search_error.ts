/** What a query asks for cannot be answered; the message goes to whoever asked. */
export class SearchError extends Error {
  override readonly name = "SearchError";
}
