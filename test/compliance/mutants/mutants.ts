// THE table of mutants, joined: each breaks one rule of a correct registry and names who must notice.

import { contentMutants } from "./content.ts";
import { deletionMutants } from "./deletion.ts";
import { edgeMutants } from "./edges.ts";
import { loginMutants } from "./login.ts";
import { manifestMutants } from "./manifest.ts";
import { mountMutants } from "./mount.ts";
import { otherMutants } from "./other.ts";
import { pingMutants } from "./ping.ts";
import { pullMutants } from "./pull.ts";
import { pushMutants } from "./push.ts";
import { referrersMutants } from "./referrers.ts";
import { tagsMutants } from "./tags.ts";
import { uploadMutants } from "./upload.ts";
import type { Mutant } from "./tools.ts";

export type { Mutant } from "./tools.ts";

export const mutants: readonly Mutant[] = [
  ...pingMutants,
  ...pushMutants,
  ...uploadMutants,
  ...pullMutants,
  ...mountMutants,
  ...contentMutants,
  ...manifestMutants,
  ...tagsMutants,
  ...referrersMutants,
  ...deletionMutants,
  ...otherMutants,
  ...edgeMutants,
  ...loginMutants,
];
