/** What a refusal by a quota says: how much there is, how much is used, what was asked for, and where to look. */
import { formatBytes } from "../../lib/bytes.ts";
import type { Exceeded } from "../../metadata/usage.ts";
import type { ApiErrorName, ApiErrorOptions } from "../../oci/errors.ts";

export interface QuotaRefusal extends Pick<ApiErrorOptions, "message" | "detail"> {
  readonly reason: ApiErrorName;
  readonly message: string;
}

/** `asks` is what was asked for, and needs so much; without it a push. */
export function quotaRefusal(exceeded: Exceeded, asks: string | null = null): QuotaRefusal {
  const { scope, figure, limit, used, need, isMaxRepos } = exceeded;
  const detail = { limit, used, need, scope };
  if (isMaxRepos) {
    const message = `This registry holds ${used} of ${limit} repositories; ask its operator, or delete one`;
    return { reason: "QUOTA_REPOSITORIES", message, detail };
  }
  const says =
    figure === "bytes"
      ? `${formatBytes(used)} used of ${formatBytes(limit)}, ${asks ?? `this push needs ${formatBytes(need)}`}`
      : `${used} of ${limit} ${figure} used, this push needs ${need} more`;
  const look = isPrefix(scope) ? ` ${scope}` : "";
  const message = `quota of ${quotaName(scope)}: ${says}; see \`zot du${look}\``;
  return { reason: "QUOTA_EXCEEDED", message, detail };
}

/** A quota of all repositories has no name of its own. */
export function quotaName(scope: string): string {
  return scope === "" ? "the registry" : scope;
}

/** Globs are nothing that one can ask about. */
function isPrefix(scope: string): boolean {
  return scope !== "" && !/[*?[{\\, ]/.test(scope);
}
