/**
 * What a person who just started the registry wants to read: how to push to it.
 */

export function pushHint(url: string, rootDirectory: string): string {
  const host = url.replace(/^https?:\/\//, "");
  return [
    "",
    `  zot is serving ${url} from ${rootDirectory}`,
    "",
    "  Push an image that you have:",
    `    skopeo copy --dest-tls-verify=false docker-daemon:alpine:latest docker://${host}/alpine:latest`,
    `    podman push --tls-verify=false alpine ${host}/alpine:latest`,
    `    docker tag alpine ${host}/alpine:latest && docker push ${host}/alpine:latest`,
    "",
    `  See what is there:  curl ${url}/v2/_catalog`,
    "  Stop with Ctrl+C.",
    "",
    "",
  ].join("\n");
}
