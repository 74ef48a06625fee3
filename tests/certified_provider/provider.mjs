// A certified provider, strict: PKCE with S256 required, refresh tokens rotated, one client, one person.
// Usage: node provider.mjs <port> <redirect URI> <client secret>; says "ready" once it listens.
import { Provider } from "oidc-provider";

const [port, redirectUri, secret] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const person = { sub: "certified-grete", email: "grete.lund@halden.example", email_verified: true, name: "Grete Lund" };

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "gatehouse",
      client_secret: secret,
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "client_secret_basic",
    },
  ],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  // Claims of the scopes go into the ID token, as Okta's org server does it.
  conformIdTokenClaims: false,
  cookies: { keys: ["for the tests only"] },
  features: { devInteractions: { enabled: true } },
  findAccount: async () => ({ accountId: person.sub, claims: async () => person }),
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: { Session: 600, Grant: 600, Interaction: 600, IdToken: 600, AccessToken: 600, RefreshToken: 600 },
});

provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
