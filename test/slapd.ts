// A real directory for tests: OpenLDAP's slapd with a database, certificates and ports of its own.
//
// It answers when `startSlapd` resolves, and is gone with its files at the end of the scope. `edit` changes entries as
// an administrator does.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TestAuthority } from "./certificates.ts";
import { eventually, run, runOk, startService, type Service } from "./processes.ts";
import { freePort, tempDirectory } from "./temp.ts";

export const baseDn = "dc=example,dc=com";
export const usersDn = `ou=users,${baseDn}`;
export const serviceDn = `cn=searcher,${baseDn}`;
export const servicePassword = "searcher's secret";
const adminDn = `cn=admin,${baseDn}`;
const adminPassword = "admin's secret";

/** Users of the directory: everybody's password is "<name>'s password". */
export const people = ["alice", "bob", "carol"] as const;

export interface DirectoryOptions {
  readonly address: string;
  readonly port: number;
  readonly caCert: string;
  readonly credentialsFile: string;
  readonly baseDN: string;
  readonly userAttribute: string;
  readonly insecure?: boolean;
  readonly startTLS?: boolean;
}

export interface Slapd extends AsyncDisposable {
  readonly port: number;
  readonly tlsPort: number;
  /** PEM file of the authority that signed its certificate. */
  readonly authority: string;
  /** JSON file with the service account. */
  readonly credentialsFile: string;
  /** `http.auth.ldap` as a registry would have it, over each way to be secure. */
  readonly overStartTls: DirectoryOptions;
  readonly overTls: DirectoryOptions;
  readonly pid: number;
  /** Changes entries: LDIF for ldapmodify. */
  edit(ldif: string): Promise<void>;
  stop(): Promise<void>;
  /** Starts it again on the same ports and data. */
  restart(): Promise<void>;
}

export async function startSlapd(): Promise<Slapd> {
  const directory = await tempDirectory();
  const at = (name: string) => join(directory.path, name);
  const authority = await TestAuthority.make(directory.path);
  const server = await authority.issue("server", {
    names: ["DNS:localhost", "IP:127.0.0.1"],
  });
  await mkdir(at("data"));
  await writeFile(at("slapd.conf"), configuration(at("data"), authority.cert, server));
  await writeFile(at("data.ldif"), entries());
  await writeFile(
    at("credentials.json"),
    JSON.stringify({ bindDN: serviceDn, bindPassword: servicePassword }),
  );
  await runOk("/usr/sbin/slapadd", ["-f", at("slapd.conf"), "-l", at("data.ldif")]);
  const [port, tlsPort] = [await freePort(), await freePort()];
  const start = () => startListening(at("slapd.conf"), port, tlsPort);
  let service = await start();
  const edit = async (ldif: string) => {
    await runOk("ldapmodify", ["-x", "-H", `ldap://127.0.0.1:${port}`, ...asAdmin], {
      stdin: ldif,
    });
  };
  // memberOf follows changes, not what is loaded.
  await edit(`dn: cn=devs,ou=groups,${baseDn}
changetype: add
objectClass: groupOfNames
cn: devs
member: uid=alice,${usersDn}
`);
  const common = {
    address: "127.0.0.1",
    caCert: authority.cert,
    credentialsFile: at("credentials.json"),
    baseDN: usersDn,
    userAttribute: "uid",
  };
  return {
    port,
    tlsPort,
    authority: authority.cert,
    credentialsFile: common.credentialsFile,
    overStartTls: { ...common, port, insecure: true, startTLS: true },
    overTls: { ...common, port: tlsPort },
    get pid() {
      return service.pid;
    },
    edit,
    stop: async () => {
      // At once, as when its machine stops: asked nicely it waits for its clients.
      process.kill(service.pid, "SIGKILL");
      await service.exited;
    },
    restart: async () => {
      service = await start();
    },
    [Symbol.asyncDispose]: async () => {
      if (service.running()) await service.stop();
      await directory[Symbol.asyncDispose]();
    },
  };
}

const asAdmin = ["-D", adminDn, "-w", adminPassword];

async function startListening(file: string, port: number, tlsPort: number): Promise<Service> {
  const urls = `ldap://127.0.0.1:${port}/ ldaps://127.0.0.1:${tlsPort}/`;
  const service = startService(["/usr/sbin/slapd", "-f", file, "-h", urls, "-d", "0"]);
  await eventually("slapd answers", async () => {
    if (!service.running()) {
      throw new Error(`slapd ended: ${[...service.stderr(), ...service.stdout()].join("\n")}`);
    }
    const found = await run("ldapsearch", [
      "-x",
      "-H",
      `ldap://127.0.0.1:${port}`,
      "-b",
      "",
      "-s",
      "base",
    ]);
    return found.code === 0;
  });
  return service;
}

/** Says yes to binds without a password, as some directories do: callers must not rely on a no. */
function configuration(
  data: string,
  authority: string,
  server: { readonly cert: string; readonly key: string },
): string {
  return `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
allow bind_anon_cred
TLSCACertificateFile ${authority}
TLSCertificateFile ${server.cert}
TLSCertificateKeyFile ${server.key}
database mdb
maxsize 16777216
suffix "${baseDn}"
rootdn "${adminDn}"
rootpw "${adminPassword}"
directory ${data}
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="${serviceDn}" read by * none
`;
}

function entries(): string {
  const person = (name: string, dn = `uid=${name},${usersDn}`) => `dn: ${dn}
objectClass: inetOrgPerson
uid: ${name}
cn: ${name}
sn: ${name}
userPassword: ${name}'s password
`;
  return [
    `dn: ${baseDn}
objectClass: dcObject
objectClass: organization
dc: example
o: example
`,
    `dn: ${usersDn}\nobjectClass: organizationalUnit\nou: users\n`,
    `dn: ou=deep,${usersDn}\nobjectClass: organizationalUnit\nou: deep\n`,
    `dn: ou=groups,${baseDn}\nobjectClass: organizationalUnit\nou: groups\n`,
    `dn: ${serviceDn}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: searcher
userPassword: ${servicePassword}
`,
    ...people.map((name) => person(name)),
    person("dave", `uid=dave,ou=deep,${usersDn}`),
    // Two entries of one name, in two places of the tree.
    person("twin", `uid=twin,${usersDn}`),
    person("twin", `uid=twin,ou=deep,${usersDn}`),
    person("locked", `uid=locked,${usersDn}`).replace("sn: locked", "sn: locked\ntitle: locked"),
    // A name with everything that a filter would stumble over.
    `dn: cn=odd,${usersDn}
objectClass: inetOrgPerson
uid: o(d)d*\\,ü
cn: odd
sn: odd
userPassword: odd's password
`,
    `dn: ou=elsewhere,${usersDn}
objectClass: referral
objectClass: extensibleObject
ou: elsewhere
ref: ldap://127.0.0.1:1/ou=elsewhere,${usersDn}
`,
  ].join("\n");
}
