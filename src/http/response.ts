/**
 * A reply as a Fetch `Response`: what a listener sends, and what a registry inside another program gives its host.
 */
import type { Reply } from "./endpoint.ts";

export function responseOf(reply: Reply, request: Request | null): Response {
  const { body, status, headers } = reply;
  const response = new Response(body as Blob | null, { status, headers });
  for (const cookie of reply.cookies ?? []) response.headers.append("set-cookie", cookie);
  if (body instanceof Blob && request !== null) {
    guardFile(response.headers, { status, request, sizeBytes: body.size });
  }
  return response;
}

/** Keeps the runtime from adding to the answer of a file what the handler did not say. */
function guardFile(
  headers: Headers,
  file: { readonly status: number; readonly request: Request; readonly sizeBytes: number },
): void {
  const { status, request, sizeBytes } = file;
  // Without this line it would tell the file's name.
  if (!headers.has("content-disposition")) headers.set("content-disposition", "attachment");
  // The handler answers with all bytes; without this line it would read the Range again, its own way.
  if (status === 200 && request.headers.has("range")) {
    headers.set("content-range", `bytes 0-${sizeBytes - 1}/${sizeBytes}`);
  }
}
