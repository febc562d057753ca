/**
 * The row of the endpoint table for the metrics page. Its path is the operator's (`extensions.metrics.prometheus`).
 */
import { everyone } from "../../auth/caller.ts";
import type { Endpoint } from "../../http/endpoint.ts";
import { textReply } from "../../http/reply.ts";
import { metricsContentType } from "../../lib/metrics/exposition.ts";

/** The table's rows; `text` makes the page, with the names of repositories or without. */
export function metricsEndpoints<App>(
  path: string,
  text: (withRepositories: boolean) => Promise<string>,
): readonly Endpoint<App>[] {
  return [
    {
      name: "metrics.get",
      spec: null,
      methods: ["GET", "HEAD"],
      path,
      needs: "metrics",
      body: "none",
      answers: [
        {
          status: 200,
          says: "Every figure, in Prometheus' text format.",
          headers: [
            {
              name: "Content-Length",
              says: "Bytes of the body.",
              schema: { type: "string", pattern: "^[0-9]+$" },
              required: true,
            },
          ],
          content: [{ types: ["text/plain"], schema: { type: "string" } }],
        },
      ],
      errors: [],
      says: "Read what the server counts",
      run: async ({ caller }) => {
        // Where callers log in, names are not for those who did not, whatever they may count.
        const known = caller.name !== null || caller === everyone;
        return textReply(200, await text(known), metricsContentType);
      },
    },
  ];
}
