// THE table of data sets: what real clients push, from a plain image to indexes with referrers.
//
// Each row makes its content with a ContentMaker and names its tags. The cases that push, list, check,
// pull, query and delete it are made from the row by content.ts; here nothing is sent.
import type { Descriptor } from "../../oci/descriptor.ts";
import { type Algorithm, digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import {
  type Blob,
  type ContentMaker,
  emptyJson,
  exampleTypes,
  type ImageOptions,
  type ManifestContent,
  plainDescriptor,
} from "../content.ts";
import type { ClauseName } from "../specification/clauses.ts";
import type { Version } from "../suite.ts";

export interface DataSet {
  readonly id: string;
  readonly title: string;
  /** The sentence that makes a registry accept it. */
  readonly clause: ClauseName;
  readonly since: Version;
  readonly algorithm: Algorithm;
  /** Push tags with `tag` parameters instead of one by one [end-7b]. */
  readonly tagParameters: boolean;
  readonly make: (maker: ContentMaker) => Tagged;
}

/** Tags and what they point to; tags get a suffix of the run. */
export type Tagged = readonly (readonly [tag: string, manifest: ManifestContent])[];

/** A data set with its content. Tags carry the run's suffix, so that runs do not meet. */
export interface Filled {
  set: DataSet;
  blobs: readonly Blob[];
  manifests: readonly ManifestContent[];
  tags: readonly (readonly [tag: string, manifest: ManifestContent])[];
}

const platforms = [
  { os: "linux", architecture: "amd64" },
  { os: "linux", architecture: "arm64" },
] as const;

const artifact: ImageOptions = {
  artifactType: exampleTypes.one,
  configType: mediaTypes.ociEmpty,
  configBytes: emptyJson,
  layerCount: 1,
  layerType: exampleTypes.one,
};
const annotations = (maker: ContentMaker): Record<string, string> => ({
  "org.example.compliance": "an annotation that referrers show",
  "org.example.unique": maker.name("unique"),
});

const largeAnnotations = (): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: 390 }, (_, n) => [`large-annotation-${n}`, "A".repeat(10_000)]),
  );

/** One image per platform, and the index of them. */
function indexOfImages(maker: ContentMaker, options: ImageOptions = {}): ManifestContent {
  const { subject, artifactType, annotations: shown, extraMembers } = options;
  const { annotations: _, ...forChildren } = options;
  const children = platforms.map((platform) => maker.image({ ...forChildren, platform }));
  return maker.index(children, {
    platforms,
    ...(subject === undefined ? {} : { subject }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(shown === undefined ? {} : { annotations: shown }),
    ...(extraMembers === undefined ? {} : { extraMembers }),
  });
}

/** Two of three layers are not pushed: their URLs say where they are. */
function foreignLayers(maker: ContentMaker): Descriptor[] {
  return [
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
  ].map((mediaType) => {
    const bytes = maker.noise(200);
    const digest = digestOf(maker.algorithm, bytes);
    return {
      mediaType,
      digest,
      size: bytes.length,
      urls: [`https://layers.example.com/${digest}`],
    };
  });
}

const absentSubject = (maker: ContentMaker): Descriptor => ({
  mediaType: mediaTypes.ociImage,
  digest: digestOf(maker.algorithm, maker.noise(123)),
  size: 123,
});

type Row = Pick<DataSet, "id" | "title" | "clause" | "make"> &
  Partial<Pick<DataSet, "since" | "algorithm" | "tagParameters">>;

const rows: readonly Row[] = [
  {
    id: "image",
    title: "An image with two compressed layers",
    clause: "manifestPut",
    make: (maker) => [["image", maker.image()]],
  },
  {
    id: "image-uncompressed",
    title: "An image with two plain layers",
    clause: "manifestPut",
    make: (maker) => [["image-uncompressed", maker.image({ gzip: false })]],
  },
  {
    id: "large-manifest",
    title: "A manifest of 3.9 MB",
    clause: "manifestLarge",
    make: (maker) => [["large-manifest", maker.image({ annotations: largeAnnotations() })]],
  },
  {
    id: "index",
    title: "An index of two platforms",
    clause: "manifestPut",
    make: (maker) => [["index", indexOfImages(maker)]],
  },
  {
    id: "nested-index",
    title: "An index of two indexes that share a config",
    clause: "manifestPut",
    make: (maker) => {
      const shared = Buffer.from(
        `{"os":"linux","architecture":"amd64","run":"${maker.name("run")}"}`,
      );
      const inner = [1, 2].map(() => {
        const [amd64, arm64] = platforms;
        const children = [
          maker.image({ platform: amd64, configBytes: shared }),
          maker.image({ platform: arm64 }),
        ];
        return maker.index(children, { platforms });
      });
      return [["nested-index", maker.index(inner)]];
    },
  },
  {
    id: "empty-index",
    title: "An index without manifests",
    clause: "manifestNoBlobs",
    make: (maker) => [["empty-index", maker.index([], { annotations: annotations(maker) })]],
  },
  {
    id: "artifact",
    title: "An artifact with an empty config",
    clause: "manifestPut",
    make: (maker) => [["artifact", maker.image(artifact)]],
  },
  {
    id: "artifact-index",
    title: "An index of artifacts",
    clause: "manifestPut",
    make: (maker) => [["artifact-index", indexOfImages(maker, artifact)]],
  },
  {
    id: "artifact-without-layers",
    title: "An artifact whose config and only layer are the same {}",
    clause: "manifestPut",
    make: (maker) => [
      [
        "artifact-without-layers",
        maker.image({
          ...artifact,
          layerType: mediaTypes.ociEmpty,
          layerBytes: emptyJson,
          annotations: annotations(maker),
        }),
      ],
    ],
  },
  {
    id: "artifacts-with-subject",
    title: "An image and three manifests that refer to it",
    clause: "referrersEntries",
    since: "1.1",
    make: (maker) => {
      const image = maker.image();
      const subject = plainDescriptor(image);
      maker.image({ subject });
      const one = maker.image({ ...artifact, subject, annotations: annotations(maker) });
      const two = maker.image({
        ...artifact,
        artifactType: exampleTypes.two,
        layerType: mediaTypes.octetStream,
        subject,
        annotations: annotations(maker),
      });
      return [
        ["with-referrers", image],
        ["referrer-one", one],
        ["referrer-two", two],
      ];
    },
  },
  {
    id: "index-with-subject",
    title: "An index that refers to an index",
    clause: "referrersEntries",
    since: "1.1",
    make: (maker) => {
      const index = indexOfImages(maker);
      const subject = plainDescriptor(index);
      const options = { ...artifact, subject, annotations: annotations(maker) };
      return [
        ["index-with-referrers", index],
        ["referrer-index", indexOfImages(maker, options)],
      ];
    },
  },
  {
    id: "missing-subject",
    title: "An artifact that refers to a manifest that is not there",
    clause: "subjectMayBeMissing",
    since: "1.1",
    make: (maker) => {
      const options = {
        ...artifact,
        subject: absentSubject(maker),
        annotations: annotations(maker),
      };
      return [["missing-subject", maker.image(options)]];
    },
  },
  {
    id: "data-field",
    title: "An image with embedded content in its descriptors",
    clause: "dataField",
    make: (maker) => [["data-field", maker.image({ embedData: true })]],
  },
  {
    id: "non-distributable",
    title: "An image with layers that are not pushed",
    clause: "nonDistributable",
    make: (maker) => [
      ["non-distributable", maker.image({ layerCount: 1, foreignLayers: foreignLayers(maker) })],
    ],
  },
  {
    id: "custom-fields",
    title: "An index, images and configs with members that nobody knows",
    clause: "unknownFields",
    make: (maker) => [["custom-fields", indexOfImages(maker, { extraMembers: true })]],
  },
  {
    id: "no-layers",
    title: "An image without layers",
    clause: "manifestNoBlobs",
    make: (maker) => [["no-layers", maker.image({ layerCount: 0 })]],
  },
  {
    id: "sha512",
    title: "An index and images named by sha512",
    clause: "manifestPut",
    algorithm: "sha512",
    make: (maker) => {
      indexOfImages(maker);
      return [];
    },
  },
  ...(["sha256", "sha512"] as const).map((algorithm): Row => ({
    id: `tag-parameters-${algorithm}`,
    title: `An index and images by ${algorithm}, pushed with tag parameters`,
    clause: "manifestTagHeader",
    since: "dev",
    algorithm,
    tagParameters: true,
    make: (maker) => {
      const index = indexOfImages(maker);
      const [amd64, arm64] = maker.manifests;
      return [
        ...(amd64 === undefined ? [] : [["parameter-amd64", amd64] as const]),
        ...(arm64 === undefined ? [] : [["parameter-arm64", arm64] as const]),
        ["parameter-index", index],
        ["parameter-index-again", index],
      ];
    },
  })),
];

export const dataSets: readonly DataSet[] = rows.map((row) => ({
  since: "1.0",
  algorithm: "sha256",
  tagParameters: false,
  ...row,
}));
