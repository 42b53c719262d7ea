// An OpenID provider on oidc-provider, with its forms for development: any password
// signs in whoever is named.
//
// Usage: node oidc-provider.mjs PORT CLIENT_ID CLIENT_SECRET REDIRECT_URI
//          [--until-stdin-ends]
//
// PORT 0 is any free one. It prints "ready <issuer>" when it listens.
import Provider from "oidc-provider";
import { listen } from "./listen.mjs";

const [clientId, clientSecret, redirectUri] = process.argv.slice(3);

const account = (id) => ({
  accountId: id,
  claims: () => ({ sub: id, preferred_username: id, email: `${id}@example.com`, given_name: "Ada", family_name: "Example" }),
});

listen((origin) => {
  const provider = new Provider(origin, {
    clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri] }],
    claims: { openid: ["sub"], profile: ["preferred_username", "given_name", "family_name"], email: ["email"] },
    findAccount: (_, id) => account(id),
    cookies: { keys: ["the-key-of-the-providers-cookies"] },
  });
  return provider.callback();
}, "");
