// What `zot help <command>` says beyond the table's own lines: what a command does, its signals, exit statuses,
// environment, files and examples, as a page of a manual has them.
//
// Tests check that a command returns the exit statuses listed here. Arguments and options are in `commands.ts`;
// `help_text.ts` lays pages out in columns.

import type { HelpPage } from "./command.ts";
import { lookingHelp } from "./looking_help.ts";
import { migrateHelp } from "./migrate_help.ts";
import { mirrorHelp } from "./mirror_help.ts";

const configEnvironment: HelpPage["environment"] = [
  ["NAME", "Any variable that the configuration names as ${NAME} or ${NAME:-default}."],
];
const rootEnvironment: HelpPage["environment"] = [
  [
    "XDG_DATA_HOME, HOME",
    "Without storage.rootDirectory, images are kept in $XDG_DATA_HOME/zot, else in ~/.local/share/zot.",
  ],
];
const loginEnvironment: HelpPage["environment"] = [
  ["ZOT_PASSWORD", "Password for --user with a name only."],
  ["ZOT_TOKEN", "Bearer token, where neither --token nor --user is given."],
];
const mistake: HelpPage["exitStatus"][number] = [2, "A mistake on the command line."];
const askedStatus: HelpPage["exitStatus"] = [
  [0, "Done."],
  [1, "Not done; the server's reason is on standard error."],
  mistake,
];
const askedEnvironment: HelpPage["environment"] = [
  ["ZOT_SERVER", "The server, where no host is named (default: http://127.0.0.1:8080)."],
  ...loginEnvironment,
];
const configFiles: HelpPage["files"] = [
  ["config", "With the keys of zot (Go), JSON or YAML; every key is in docs/reference/config.md."],
];

/** The page that `zot help` alone prints below its list. */
export const programPage: Omit<HelpPage, "says" | "examples"> = {
  exitStatus: [
    [0, "Done."],
    [1, "Not done; the reason is on standard error. Some commands have more: see their help."],
    mistake,
  ],
  environment: [["NO_COLOR", "When set, nothing is coloured. Only terminals see colours at all."]],
  seeAlso: ["zot help <command>", "docs/README.md", "examples/README.md"],
};

/** Pages by the name of the command. */
export const helpPages = {
  serve: {
    says: `Serves what the configuration says, until a signal stops it. Without a configuration it listens on 127.0.0.1:8080, which only this machine reaches, and keeps its images in a directory of your own. A line with "listening" says that it can be pushed to. The log is JSON, one object a line; on a terminal it is text, one line for each request.

While it serves, the file is looked at several times a second. What changed in it takes effect without dropping a request, as far as the reference marks it live; the rest waits for the next start. A file with a problem changes nothing, and the log says why.

With --mirror it is a mirror, too: what is pulled below docker.io/, or by a client that says ns=docker.io, is fetched from there when it is not here, and kept. 'zot help mirror' says how clients are told.

One process supervises others (http.workers), which share the port. One that dies is started again.`,
    signals: [
      [
        "SIGTERM, SIGINT",
        "Stop: no new connections, and requests in flight get http.graceTimeout. Another one, two seconds or more after the first, ends everything at once, which is as safe as a crash.",
      ],
      [
        "SIGHUP",
        "Read the configuration file now; the log says what came of it. A stop when the terminal that it was started from closes, unless started with nohup.",
      ],
    ],
    exitStatus: [
      [0, "Stopped by a signal; every index.json on disk is exact."],
      [
        1,
        "Not started: the configuration has a problem, the port is taken, or the root directory cannot be used or is another server's. The reason is on standard error. Or ended by itself, because its files under _zot were removed or replaced: the log says which one.",
      ],
      mistake,
      [137, "Ended at once by a second signal, as a shell tells it."],
    ],
    environment: [...configEnvironment, ...rootEnvironment],
    files: [
      ...configFiles,
      ["<root>/<repository>/", "The repositories, each an OCI image layout."],
      ["<root>/_zot/", "The server's own: metadata, open uploads, locks, keys."],
    ],
    examples: [
      "zot serve",
      "zot serve --mirror docker.io,ghcr.io,quay.io,registry.k8s.io",
      "zot serve examples/config-minimal.json",
      "ZOT_ROOT=/srv/images zot serve examples/config-full.yaml",
    ],
    seeAlso: ["zot help verify", "docs/guides/operate.md", "docs/reference/config.md"],
  },
  verify: {
    says: `Reads the configuration and the files that it names (certificates, keys, users) as a start does, and prints one line for each problem: what was expected, what came, and what to do. What it passes can be served, if the port is free and the root directory can be used. Warnings are printed and are no problem. Nothing is started or changed.

With --no-files the configuration alone is checked: for a machine that has not got those files, such as one that builds.`,
    exitStatus: [[0, "It can be served."], [1, "It cannot, or the file cannot be read."], mistake],
    environment: [...configEnvironment, ...rootEnvironment],
    files: configFiles,
    examples: [
      "zot verify config.yaml",
      "zot verify config.yaml && systemctl reload zot",
      "zot verify --no-files - < config.yaml",
    ],
    seeAlso: ["zot help schema", "docs/guides/configure.md"],
  },
  gc: {
    says: `With -r (required without plan or apply): removes blobs that no manifest names, and with -m manifests without a tag, at once. A running server does so by itself (storage.gc): this is for a root directory that none serves, and for OCI layouts that another program wrote. Such a directory is one layout, or has layouts in it.

For each thing that goes, or that a rule keeps, there is a line: delete or keep, the repository, the digest, bytes and the reason. At the end stand the sums. A root that a running server has is refused; the error names its process. Nothing that is removed here can be undone.

plan asks a running server for all that retention and collection would remove now: a line for each tag, manifest and blob with its reason and the bytes that it frees beyond the lines before it. It changes nothing. With -o the plan goes to a file, as lines of JSON.

apply carries out such a file, or lines of it. A line is carried out only while it holds: the tag points where it did, nothing has named the manifest or blob, and the rules decide the same. What is passed over is told with the reason. Both are for administrators.`,
    exitStatus: [
      [0, "Done; apply tells what it passed over."],
      [1, "Not done, or not everywhere: the reason is on standard error."],
      mistake,
    ],
    environment: askedEnvironment,
    examples: [
      "zot gc plan -o plan.jsonl",
      "zot gc apply plan.jsonl",
      "zot gc plan -f json | grep team/ | zot gc apply -",
      "zot gc -r /var/lib/zot -d",
      "zot gc -r /var/lib/zot -m --older-than 24h",
      "zot gc -r ./layout -m",
    ],
    seeAlso: ["zot help retention", "zot help serve", "docs/guides/disk.md"],
  },
  scrub: {
    says: `Reads and hashes what index.json of every repository lists, and all that it leads to, and prints a line for each of its entries: ok, or affected with the digest of the first thing that is wrong and what that is. An image is affected by its manifest, config and layers, an index also by its images, and a signature by what it is about. A file that several repositories share is read once.

Nothing is changed. A root that a running server has is refused. With -r it takes OCI layouts of any program: one, or a directory with several.

With the word status instead of a configuration it asks a running server (extensions.scrub) for its rounds, how much was checked within a day, a week and a month, and what is damaged, with the tags that lead to it, and what is kept of it. With the word forget and a digest the server removes for good what it keeps of that content, once it is right again or gone. Both are for administrators. Files of these names are ./status and ./forget.`,
    exitStatus: [
      [0, "Everything is right."],
      [1, "Not done, or not everywhere: the reason is on standard error."],
      mistake,
      [3, "Something is affected."],
    ],
    environment: [...configEnvironment, ...rootEnvironment, ...askedEnvironment],
    files: configFiles,
    examples: [
      "zot scrub config.yaml",
      "zot scrub -r /var/lib/zot -f json",
      "zot scrub -r ./layout",
      "zot scrub status",
      "zot scrub forget sha256:…",
    ],
    seeAlso: ["zot help gc", "docs/guides/scrub.md"],
  },
  authz: {
    says: `Decides with the very function that the server decides with, and prints the decision, the policy that made it, and every glob that fits the repository, the longest first: only that one counts. Groups of a directory or a token are not known here; --group gives them. Conditions are shown, and taken to hold.`,
    exitStatus: [
      [0, "Allowed."],
      [1, "Not allowed."],
      [2, "It could not be told: a problem of the configuration, a mistake on the command line."],
    ],
    environment: configEnvironment,
    files: configFiles,
    examples: [
      "zot authz config.yaml alice update team/app",
      "zot authz config.yaml - read public/app",
      "zot authz config.yaml bob read team/app --group cn=devs,ou=groups,dc=example,dc=com",
    ],
    seeAlso: ["docs/guides/secure.md", "examples/config-policy.yaml"],
  },
  user: {
    says: `Edits the file that http.auth.htpasswd.path names: one line a user, with a hash of the password (bcrypt), as Apache's htpasswd writes it and reads it. A running server takes the change in within a second.

On a terminal the password is asked for twice and not shown. Elsewhere it is the one line of standard input. It is never an argument, since every user of a machine can read the arguments of a program.

The file is replaced in one step, and keeps its mode, its owner and its comments. A new one is for its owner alone (600): chown it to the user who serves. API keys of a user who was removed end, and do not come back with the name; a new password ends none.`,
    exitStatus: [
      [0, "Done."],
      [
        1,
        "Not done: the user is there already or is not there, the passwords differ, or the file cannot be read or replaced.",
      ],
      mistake,
      [130, "Ctrl+C at the question for the password; nothing is changed."],
    ],
    files: [["file", "Users and hashes; lines that begin with # are comments."]],
    examples: [
      "zot user add /etc/zot/htpasswd ann",
      "zot user password /etc/zot/htpasswd ann <password.txt",
      "zot user list /etc/zot/htpasswd",
      "zot user remove /etc/zot/htpasswd ann",
    ],
    seeAlso: ["zot help authz", "docs/guides/secure.md", "examples/config-htpasswd.yaml"],
  },
  schema: {
    says: `Prints a JSON Schema of all keys that this version serves, with their types, defaults and meaning. Editors complete and check configuration files with it.`,
    exitStatus: [[0, "Printed."], mistake],
    examples: ["zot schema > zot.schema.json"],
    seeAlso: ["zot help verify", "docs/guides/configure.md"],
  },
  history: {
    says: `Shows the events of a tag, newest first: when it was set to which manifest, or removed, and by whom. The history outlives the tag and its manifests. The numbers in front are those that "zot undo --to @n" takes. Names are shown to callers who have logged in.

Without a host the server is $ZOT_SERVER, or the one on this machine.`,
    exitStatus: askedStatus,
    environment: askedEnvironment,
    examples: [
      "zot history team/app:latest",
      "zot history registry.example.com/team/app:1.0 -n 100",
    ],
    seeAlso: ["zot help undo", "docs/guides/undo.md"],
  },
  undo: {
    says: `With a tag: sets it back to what it pointed at before its last change, or to what --to says, if it is as the history shows it at this moment. A manifest that was deleted meanwhile comes back with all that it names, as long as storage.undo.window has not passed. What came back is left alone by retention for storage.undo.pin.

With --since: plans what would take back all that was done to tags since then (--by: by one user) and prints the plan. With --yes it is carried out in one step: everything, or nothing where a tag is not as the plan saw it. Tags that somebody else moved since are told and left.

An undo is a change like any other: it stands in the history, and can be undone. It takes the right to push the tag, or to delete it where it is removed again.`,
    exitStatus: [
      [0, "Done, or planned; with nothing to undo, too."],
      [1, "Not done, or not all of it could be: the reasons are shown."],
      mistake,
    ],
    environment: askedEnvironment,
    examples: [
      "zot undo team/app:latest",
      "zot undo team/app:latest --to @3",
      "zot undo team/app:latest --to 2026-11-30T12:00:00Z",
      "zot undo --since 10m --by ci",
      "zot undo --since 10m --by ci --yes",
    ],
    seeAlso: ["zot help history", "zot help undelete", "docs/guides/undo.md"],
  },
  ...lookingHelp,
  copy: {
    says: `Copies images byte for byte, with the signatures, SBOMs and other artifacts that refer to them. A place is a repository of a registry (docker://), an OCI layout in a directory (oci:) or in a tar archive (oci-archive:), as skopeo, podman and docker read and write them. A name without a host is Docker Hub's. Loopback addresses are asked by HTTP, all others by HTTPS; http://HOST/NAME in place of docker://HOST/NAME means HTTP.

What the target has is skipped, so that a run that was broken off goes on where it was. Blobs of another repository of the same registry are mounted and not sent. Every digest is checked before anything names the content, and a tag is set when all of its image is there.

oci-archive:- is standard input or standard output; what the command tells goes to standard error then. An archive that is there is replaced if this copy brings all images that it has, and refused otherwise.

Of an index all images are copied. With --platform some are: one takes the place of the index, several get an index of their own. Either has another digest than the index of the source, as the output says.`,
    signals: [
      ["SIGINT, SIGTERM", "Stop. What was copied stays, and the next run goes on from there."],
    ],
    exitStatus: [
      [0, "Copied, or there already."],
      [1, "Not all of it was copied; the reason is on standard error."],
      mistake,
    ],
    environment: [
      [
        "ZOT_FROM_PASSWORD, ZOT_TO_PASSWORD",
        "Password for --from-user and --to-user with a name only.",
      ],
      ["ZOT_FROM_TOKEN, ZOT_TO_TOKEN", "Bearer token, where neither token nor user is given."],
      [
        "REGISTRY_AUTH_FILE, DOCKER_CONFIG",
        "Where logins of podman and docker are, when they are not in their usual places.",
      ],
    ],
    files: [
      [
        "$XDG_RUNTIME_DIR/containers/auth.json, ~/.docker/config.json",
        "What 'podman login' and 'docker login' keep; used where the command line says nothing.",
      ],
    ],
    examples: [
      "zot copy docker://docker.io/library/alpine:3.20 docker://registry.example.com/alpine",
      "zot copy docker://registry.example.com/team/app:1.0 oci-archive:app.tar",
      "zot copy --all-tags docker://old.example.com/team/app docker://registry.example.com/team/app",
      "zot copy docker://registry.example.com/team/app:1.0 oci-archive:- | ssh host podman load",
      "zot copy --platform linux/arm64 docker://ghcr.io/org/tool:2 oci:tool:2",
    ],
    seeAlso: ["docs/guides/copy.md", "zot help export"],
  },
  export: {
    says: `Writes repositories of a registry, with signatures and all that refers to images, into one tar archive that is carried to a side without network and brought in there by 'zot import'. With --since only what that side lacks goes: the checkpoint in the last archive says what it has, and so does a checkpoint file. The digest that is printed tells the archive from any other.

Without -o, --checkpoint writes what a registry has, which is the checkpoint of that side.

The archive is an OCI layout, too: other tools find images in it under REPOSITORY:TAG.`,
    signals: [["SIGINT, SIGTERM", "Stop. No archive is left."]],
    exitStatus: [
      [0, "Written, or nothing is new and no archive was written."],
      [1, "Not written; the reason is on standard error."],
      mistake,
    ],
    environment: loginEnvironment,
    examples: [
      "zot export registry.example.com -o all.tar",
      "zot export registry.example.com 'team/**,tools/*' --since all.tar -o news.tar",
      "zot export registry.inside.example --checkpoint inside.json",
    ],
    seeAlso: ["zot help import", "docs/guides/copy.md"],
  },
  import: {
    says: `Proves an archive of 'zot export' and brings it into a registry. First every byte of the archive is compared with its digest, and what it takes for granted with what the registry has; then content is sent; the tags of each repository are set last and at once, so that whoever pulls meanwhile gets the old or the new. Other registries set tags one after the other.

A tag must be as it was when the archive was made, or be there already: an archive that is older than what is here changes nothing. --force sets its tags all the same.`,
    signals: [["SIGINT, SIGTERM", "Stop. Tags that were not set yet stay as they are."]],
    exitStatus: [
      [0, "Imported, or all of it is there already."],
      [1, "Not imported; the reason is on standard error."],
      mistake,
    ],
    environment: loginEnvironment,
    examples: [
      "zot import all.tar registry.inside.example",
      "zot import news.tar registry.inside.example --digest sha256:4f53…",
    ],
    seeAlso: ["zot help export", "docs/guides/copy.md"],
  },
  migrate: migrateHelp,
  undelete: {
    says: `Brings back a manifest with all that it names, or a blob, that was deleted or collected less than storage.undo.window ago. Tags come back by "zot undo".`,
    exitStatus: askedStatus,
    environment: askedEnvironment,
    examples: ["zot undelete team/app@sha256:4f53…"],
    seeAlso: ["zot help undo", "docs/guides/undo.md"],
  },
  purge: {
    says: `Removes a manifest with its tags and with the blobs and manifests that it alone names in its repository, or a blob that nothing names, and keeps nothing of it for an undo: for secrets, and for what the law wants gone. Its events stay in the history, with the reason. It takes the right to delete, and an administrator while storage.undo.window is set.

Other repositories that have the same blob are named; purge it there, too.`,
    exitStatus: askedStatus,
    environment: askedEnvironment,
    examples: ['zot purge team/app@sha256:4f53… --reason "a password in layer 3"'],
    seeAlso: ["zot help undelete", "docs/guides/undo.md"],
  },
  compliance: {
    says: `Pushes, pulls, lists and deletes content of its own in two repositories, removes it again, and judges every answer by the OCI distribution specification: 1.0, 1.1 and the draft of the next version. A positive case gets work done; a negative one checks that what is wrong is refused by the book. Each names the sentence that it follows from.

Groups: ping, empty, push, upload, pull, mount, content, manifest, tags, referrers, delete, grammar, errors, headers, catalog, login, integrity; also the beginning of a scenario, such as push.sha256.`,
    signals: [
      ["SIGINT, SIGTERM", "End early: what was pushed is removed, and what is known is reported."],
    ],
    exitStatus: [
      [0, "Compliant with every version that was asked for; with all, the draft does not count."],
      [1, "Not compliant."],
      [
        2,
        "Could not judge: nobody there, a login refused, ended early, a mistake on the command line.",
      ],
    ],
    environment: loginEnvironment,
    examples: [
      "zot compliance 127.0.0.1:8080",
      "zot compliance -H 127.0.0.1 -P 5000 -V 1.1 --json",
      "zot compliance https://registry.example.com --user ann --output report.html,report.json",
      "zot compliance registry.example.com --read-only --repository team/app",
    ],
    seeAlso: ["docs/compliance/README.md"],
  },
  bench: {
    says: `Pushes, pulls and lists content of its own, and removes it again. Single figures mean little on a machine that does other things: --compare runs two registries in turn and prints ratios, and --pid adds what the server itself spends.`,
    exitStatus: [
      [0, "Measured."],
      [1, "Measured, and some operations failed."],
      [2, "Could not measure: nobody there, a login refused, a mistake on the command line."],
    ],
    environment: loginEnvironment,
    examples: [
      "zot bench --list",
      "zot bench 127.0.0.1:8080 -c 16 -n 1000 --scenarios 'manifest|blob'",
      "zot bench 127.0.0.1:8080 --pid 4711 --compare 127.0.0.1:5000 --compare-pid 4712 --output bench.txt",
    ],
    seeAlso: ["docs/benchmarks.md"],
  },
  du: {
    says: `Asks a running server what repositories take, those with the most of their own first. OWN is what no other repository has: what is freed when the repository goes. SHARED is what others have, too. LINKED is both, each digest once. At the end stands what all of them take together, and what lies on the disk.

With --tags it shows for each tag of a repository what goes when that tag alone is removed and collection has run: FREED from the disk, FREED HERE from the repository, which others may share. SIZE is all that the tag names.

What others have is told to administrators: to anybody else OWN, SHARED and FREED are "-". Content that is held for an undo counts only on the disk.`,
    exitStatus: askedStatus,
    environment: askedEnvironment,
    examples: [
      "zot du",
      "zot du -s team/",
      "zot du --tags team/app",
      "zot du registry.example.com/team/",
    ],
    seeAlso: ["zot help gc", "zot help retention", "docs/guides/disk.md"],
  },
  retention: {
    says: `Asks a running server what retention (storage.retention) decides about each tag of a repository, or about one: kept or removed, by which entry and which rules, and until when. It changes nothing. The evaluation asks, in this order: protected or pinned, immutable, the subject of a signature, the label, the first entry that fits with its rules, the minimum, and at last the limit of what may go at once.`,
    exitStatus: askedStatus,
    environment: askedEnvironment,
    examples: [
      "zot retention explain team/app",
      "zot retention explain registry.example.com/team/app:1.0",
    ],
    seeAlso: ["zot help why", "zot help gc", "docs/guides/disk.md"],
  },
  why: {
    says: `Asks a running server what keeps a manifest or a blob: each way from a tag, an index or a subject down to it. For what nothing names it tells since when, and when it goes.`,
    exitStatus: askedStatus,
    environment: askedEnvironment,
    examples: ["zot why team/app:1.0", "zot why team/app@sha256:..."],
    seeAlso: ["zot help retention", "docs/guides/disk.md"],
  },
  mirror: mirrorHelp,
  openapi: {
    says: `Prints the document that a registry with this configuration shows at /swagger/v2/, for generators of clients and other tools: every endpoint with its parameters, answers and errors. Without a configuration, that of the defaults.`,
    exitStatus: [[0, "Printed."], [1, "The configuration has a problem."], mistake],
    environment: configEnvironment,
    files: configFiles,
    examples: ["zot openapi > zot.openapi.json", "zot openapi config.yaml"],
    seeAlso: ["docs/reference/http.md", "docs/reference/errors.md"],
  },
  completion: {
    says: `Prints a script that tells a shell the commands, their options, and where files stand. It is made from this program's own table: print it again after an upgrade.`,
    exitStatus: [[0, "Printed."], mistake],
    files: [
      ["/etc/bash_completion.d/zot", "Where bash looks for it, with the package bash-completion."],
      ["/usr/local/share/zsh/site-functions/_zot", "Where zsh does."],
      ["~/.config/fish/completions/zot.fish", "Where fish does."],
    ],
    examples: [
      "zot completion bash > /etc/bash_completion.d/zot",
      "zot completion zsh > /usr/local/share/zsh/site-functions/_zot",
      "zot completion fish > ~/.config/fish/completions/zot.fish",
    ],
    seeAlso: ["docs/guides/install.md"],
  },
  version: {
    says: `Prints what a bug report should name, one line for each part: zot, the specification that it serves, the runtime, and the commit where it is known. The same as zot --version.`,
    exitStatus: [[0, "Printed."], mistake],
    examples: ["zot version"],
    seeAlso: ["CHANGELOG.md"],
  },
  heavy: {
    says: "Started by 'zot serve' for hashing and writing what is large, and ended when there is nothing to do; never by hand.",
    exitStatus: [
      [0, "Had nothing to do any more."],
      [1, "The server is gone."],
    ],
    examples: [],
    seeAlso: ["zot help serve"],
  },
  worker: {
    says: "Started by 'zot serve', never by hand.",
    exitStatus: [
      [0, "Told to stop."],
      [1, "Could not serve."],
    ],
    examples: [],
    seeAlso: ["zot help serve"],
  },
} as const satisfies Readonly<Record<string, HelpPage>>;
