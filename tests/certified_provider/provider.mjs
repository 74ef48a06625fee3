// A certified provider, strict: PKCE with S256 required, refresh tokens rotated, one client, one person.
// Usage: node provider.mjs <settings as JSON>: port, redirectUri, secret, and, if the client is to be known another way,
// method, jwksUri and algorithms. Says "ready" once it listens, and "done" after each line it is told on stdin:
// "secrets <JSON>" for the secrets that are good from now on, "expire" when what it cached of our keys is old.
import { createInterface } from "node:readline";
import { Provider } from "oidc-provider";

const { port, redirectUri, secret, method, jwksUri, algorithms } = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const person = { sub: "certified-grete", email: "grete.lund@halden.example", email_verified: true, name: "Grete Lund" };
const proof = jwksUri ? { jwks_uri: jwksUri } : { client_secret: secret };

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "gatehouse",
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: method ?? "client_secret_basic",
      ...proof,
    },
  ],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  // Claims of the scopes go into the ID token, as Okta's org server does it.
  conformIdTokenClaims: false,
  cookies: { keys: ["for the tests only"] },
  ...(algorithms && { enabledJWA: { clientAuthSigningAlgValues: algorithms } }),
  features: { devInteractions: { enabled: true } },
  // Our keys are on this machine, where it would not look by itself.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  findAccount: async () => ({ accountId: person.sub, claims: async () => person }),
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: { Session: 600, Grant: 600, Interaction: 600, IdToken: 600, AccessToken: 600, RefreshToken: 600 },
});

let secrets = [secret];
provider.Client.prototype.compareClientSecret = (actual) => secrets.includes(actual);

createInterface({ input: process.stdin }).on("line", async (line) => {
  if (line.startsWith("secrets ")) secrets = JSON.parse(line.slice(8));
  if (line === "expire") (await provider.Client.find("gatehouse")).asymmetricKeyStore.freshUntil = 0;
  console.log("done");
});

provider.listen(port, "127.0.0.1", () => console.log("ready"));
