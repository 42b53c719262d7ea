// A foreign client of Salesforce: jsforce does what its users do with an org, and
// tells what came of it.
//
// Usage: node jsforce.mjs < settings.json
//
// The settings are {"login_url", "client_id", "username", "private_key",
// "audience", "client_secret", "external_id", "profile_id", "permission_set_id"}.
// It prints one JSON object: by step, what the client returned, or {"error": the
// code it made of a failure}.
import { createSign } from "node:crypto";
import jsforce from "@jsforce/jsforce-node";

let input = "";
for await (const chunk of process.stdin) input += chunk;
const settings = JSON.parse(input);

function assertion() {
  const part = (object) => Buffer.from(JSON.stringify(object)).toString("base64url");
  const claims = {
    iss: settings.client_id, sub: settings.username, aud: settings.audience, exp: Math.floor(Date.now() / 1000) + 120,
  };
  const text = `${part({ alg: "RS256" })}.${part(claims)}`;
  return `${text}.${createSign("RSA-SHA256").update(text).sign(settings.private_key, "base64url")}`;
}

async function connect(grant, secret) {
  const oauth2 = new jsforce.OAuth2({ loginUrl: settings.login_url, clientId: settings.client_id, clientSecret: secret });
  const connection = new jsforce.Connection({ oauth2, version: "62.0" });
  await connection.authorize(grant);
  return connection;
}

const results = {};
async function step(name, act) {
  try {
    results[name] = (await act()) ?? null;
  } catch (error) {
    results[name] = { error: error.errorCode ?? error.name, message: error.message };
  }
  return results[name];
}

const jwt = "urn:ietf:params:oauth:grant-type:jwt-bearer";
let connection;
await step("assertion", async () => {
  connection = await connect({ grant_type: jwt, assertion: assertion() });
  return { instance: connection.instanceUrl, user: connection.userInfo.id };
});
await step("wrong assertion", async () => void (await connect({ grant_type: jwt, assertion: `${assertion()}x` })));
await step("client credentials", async () => void (await connect({ grant_type: "client_credentials" }, settings.client_secret)));

const users = connection.sobject("User");
const grace = {
  Username: "grace.o'brien@example.com", LastName: "O'Brien", FirstName: "Grace", Email: "grace@example.com", Alias: "gobrien",
  TimeZoneSidKey: "GMT", LocaleSidKey: "en_US", EmailEncodingKey: "UTF-8", LanguageLocaleKey: "en_US", ProfileId: settings.profile_id,
  FederationIdentifier: "user-grace", IsActive: true,
};
const fields = ["Id", "Username", "LastName", "FederationIdentifier", "IsActive", "Title"];
const created = await step("create", () => users.create(grace));
await step("create again", () => users.create(grace));
await step("create without a name", () => users.create({ Username: "x@example.com" }));
await step("create with an unknown field", () => users.create({ ...grace, Username: "x@example.com", Nothing: "x" }));
await step("create with a wrong type", () => users.create({ ...grace, Username: "x@example.com", IsActive: "yes" }));
await step("retrieve", async () => pick(await users.retrieve(created.id)));
await step("retrieve nobody", () => users.retrieve("005000000000000AAA"));
await step("find", async () => (await users.find({ Username: grace.Username }, fields)).map(pick));
await step("find by the connector's id", async () => (await users.find({ FederationIdentifier: "user-1" }, fields)).map(pick));
await step("update", () => users.update({ Id: created.id, Title: "Rear Admiral", IsActive: false }));
await step("update nobody", () => users.update({ Id: "005000000000000AAA", Title: "x" }));
await step("update to nothing", () => users.update({ Id: created.id, Title: null }));
await step("retrieve the change", async () => pick(await users.retrieve(created.id)));
await step("delete", () => users.destroy(created.id));
const upserted = { ...grace, Username: "upserted@example.com", FederationIdentifier: "user-u", [settings.external_id]: "user-u" };
await step("upsert new", () => users.upsert(upserted, settings.external_id));
await step("upsert old", () => users.upsert({ ...upserted, Title: "Dr" }, settings.external_id));
await step("upsert by no external id", () => users.upsert(upserted, "Title"));
await step("query", async () => (await connection.query("SELECT Id, Profile.Name FROM User ORDER BY Id", { autoFetch: true })).records.map((r) => r.Profile.Name));
await step("bad query", () => connection.query("SELECT Id FROM User WHERE Username = 'x"));
await step("query of an unknown field", () => connection.query("SELECT Nothing FROM User"));
await step("describe", async () => (await users.describe()).fields.map((f) => f.name));
await step("limits", async () => Object.keys((await connection.limits()).DailyApiRequests).sort());
await step("usage", async () => Object.keys(connection.limitInfo.apiUsage).sort());

const links = connection.sobject("PermissionSetAssignment");
const link = { AssigneeId: created.id, PermissionSetId: settings.permission_set_id };
const assigned = await step("assign", () => links.create(link));
await step("assign again", () => links.create(link));
await step("assigned", async () =>
  (await connection.query(`SELECT Id, PermissionSet.Name FROM PermissionSetAssignment WHERE AssigneeId = '${created.id}'`)).records.map((r) => r.PermissionSet.Name));
await step("unassign", () => links.destroy(assigned.id));
await step("unassign again", () => links.destroy(assigned.id));

function pick(record) {
  return Object.fromEntries(fields.filter((name) => name !== "Id").map((name) => [name, record[name]]));
}
console.log(JSON.stringify(results));
