/** Where a bucket is: host names of AWS and others, path and virtual host style, the prefix of our keys. */
import { domainOf } from "../../../lib/cloud/aws_keys.ts";
import type { S3Values } from "../../driver_options.ts";
import { prefixOf } from "../../driver_place.ts";
import { withScheme } from "../http/endpoint.ts";
import { keyInPath } from "../object_key.ts";

export class S3Place {
  readonly bucket: string;
  /** Ends with `/`, or is empty. */
  readonly prefix: string;
  readonly #values: S3Values;

  constructor(values: S3Values) {
    this.#values = values;
    this.bucket = values.bucket;
    this.prefix = prefixOf(values.rootdirectory);
  }

  /** Scheme and host that requests go to, with the path that comes before everything, if any; without `/` at the end. */
  endpoint(region: string): string {
    const { regionendpoint, secure } = this.#values;
    return regionendpoint === null ? this.#atAws(region) : withScheme(regionendpoint, secure);
  }

  /** The address of the bucket, or of an object in it. */
  url(endpoint: string, key: string | null): string {
    const path = key === null ? "" : keyInPath(`${this.prefix}${key}`);
    if (this.#values.forcepathstyle)
      return `${endpoint}/${this.bucket}${key === null ? "" : `/${path}`}`;
    return `${endpoint.replace("://", `://${this.bucket}.`)}/${path}`;
  }

  #atAws(region: string): string {
    const { secure, usefipsendpoint, usedualstack } = this.#values;
    const name = `s3${usefipsendpoint ? "-fips" : ""}${usedualstack ? ".dualstack" : ""}`;
    return `${secure ? "https" : "http"}://${name}.${region}.${domainOf(region)}`;
  }
}
