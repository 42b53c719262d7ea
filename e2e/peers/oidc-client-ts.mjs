// A headless relying party on oidc-client-ts, which is at home in browsers: without a
// secret, with what it keeps in memory.
//
// Usage: node oidc-client-ts.mjs ISSUER CLIENT_ID '' REDIRECT_URI
//          [--scope "openid profile"] [--after-logout URI]
//
// What it prints and reads is as for openid-client.mjs. The library adds what UserInfo
// tells to the claims of the ID token, and has one name for both.
import { parseArgs } from "node:util";
import { InMemoryWebStorage, UserManager, WebStorageStateStore } from "oidc-client-ts";
import { granted, print, readCallback, run } from "./relyingparty.mjs";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scope: { type: "string", default: "openid profile email offline_access" },
    "after-logout": { type: "string" },
  },
});
const [authority, client_id, , redirect_uri] = positionals;

const memory = () => new WebStorageStateStore({ store: new InMemoryWebStorage() });

/** Stands for the window whose location the library changes. */
const page = {
  url: "",
  prepare: async () => ({ navigate: async ({ url }) => ((page.url = url), { url }), close() {} }),
  callback: async () => {},
};

await run(async () => {
  const settings = {
    authority,
    client_id,
    redirect_uri,
    scope: flags.scope,
    post_logout_redirect_uri: flags["after-logout"],
    loadUserInfo: true,
    automaticSilentRenew: false,
    stateStore: memory(),
    userStore: memory(),
  };
  const users = new UserManager(settings, page, page, page);
  await users.signinRedirect({ nonce: crypto.randomUUID() });
  print({ authorize_url: page.url });

  const user = await users.signinRedirectCallback((await readCallback()).href);
  const next = await users.signinSilent();
  await users.signoutRedirect({ state: "anything" });
  return {
    claims: user.profile,
    userinfo: user.profile,
    granted: granted(user),
    refreshed: { ...granted(next), claims: next.profile },
    logout_url: page.url,
  };
});
