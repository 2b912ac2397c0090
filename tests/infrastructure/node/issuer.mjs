// An OpenID Connect issuer with one client. Usage: node issuer.mjs PORT CLIENT_ID CLIENT_SECRET REDIRECT_URI
import Provider from "oidc-provider";

const [port, clientId, clientSecret, redirectUri] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri] }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "picture"] },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: true, name: "김민지" }),
  }),
  features: { revocation: { enabled: true } },
  pkce: { required: () => true, methods: ["S256"] },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
