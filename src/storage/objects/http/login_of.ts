/** A login of a cloud for a store, and what its absence means there. */
import { CloudLoginError, CloudLoginMissing } from "../../../lib/cloud/cloud_login.ts";
import type { KeptSecret } from "../../../lib/cloud/kept_secret.ts";
import { ObjectStoreRefused, ObjectStoreUnavailable } from "../object_store.ts";

/** `anew`: the one that was used was refused. @throws ObjectStoreRefused, ObjectStoreUnavailable */
export async function loginOf<T>(kept: KeptSecret<T>, anew: boolean, name: string): Promise<T> {
  try {
    return await kept.get(anew);
  } catch (error) {
    if (!(error instanceof CloudLoginError)) throw error;
    const line = `${name} needs a login: ${error.host}: ${error.message}`;
    if (error instanceof CloudLoginMissing) throw new ObjectStoreRefused(line, { cause: error });
    throw new ObjectStoreUnavailable(line, { cause: error });
  }
}
