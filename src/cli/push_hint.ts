/**
 * What a person who just started the registry wants to read: how to push to it.
 */

export function pushHint(url: string, rootDirectory: string): string {
  const host = url.replace(/^https?:\/\//, "");
  return [
    "",
    `  zot is serving ${url} from ${rootDirectory}`,
    "",
    "  Push an image to it with what you have:",
    `    skopeo copy --dest-tls-verify=false docker://docker.io/library/alpine docker://${host}/alpine`,
    `    podman push --tls-verify=false alpine ${host}/alpine`,
    `    docker tag alpine ${host}/alpine && docker push ${host}/alpine`,
    "",
    `  See what is there:  curl ${url}/v2/_catalog`,
    "  Stop with Ctrl+C.",
    "",
    "",
  ].join("\n");
}
