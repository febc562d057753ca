// The options under `extensions.lint`, in zot's dialect; `mode` and `kinds` are ours.

import * as z from "zod";
import { optionTable } from "../../lib/option.ts";
import { flag } from "../../lib/option_types.ts";
import { artifactKinds } from "../../oci/artifact_kinds.ts";

const keyLengthMax = 256;
const annotationsMax = 100;
const annotationsError = `a list of up to ${annotationsMax} keys of annotations`;
const kindIds = artifactKinds.map(({ id }) => id);
const kindsError = `a list of kinds, of ${kindIds.join(", ")}`;

export const lintOptions = optionTable({
  enable: {
    type: flag,
    default: false,
    inSection: true,
    defaultSays: "`true` where the section is there, else `false`",
    served: true,
    applies: "restart",
    says: "Look at manifests that are pushed, and refuse those that break a rule.",
  },
  mandatoryAnnotations: {
    type: z
      .array(z.string().min(1).max(keyLengthMax), { error: annotationsError })
      .max(annotationsMax, { error: annotationsError })
      .meta({ title: "list of keys of annotations" }),
    default: [],
    served: true,
    applies: "restart",
    says: "Each of them must be an annotation of the manifest, or a label in the image's config.",
  },
  mode: {
    type: z.enum(["enforce", "warn"], { error: '"enforce" or "warn"' }).meta({
      title: '"enforce" or "warn"',
    }),
    default: "enforce",
    served: true,
    applies: "restart",
    says: "With `enforce` the push is refused; with `warn` it is taken, and the log says what is missing.",
  },
  kinds: {
    type: z
      .array(z.enum(kindIds as [string, ...string[]], { error: kindsError }), { error: kindsError })
      .meta({ title: "list of kinds of artifacts" }),
    default: [],
    defaultSays: "all but signatures, attestations, SBOMs and the like, and build caches",
    served: true,
    applies: "restart",
    says: "Kinds of artifacts that the rules are for, such as `image` and `helm-chart`.",
  },
});
