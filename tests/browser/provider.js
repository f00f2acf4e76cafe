// A real OpenID Connect provider for the tests: node provider.js ISSUER REDIRECT_ADDRESS. It keeps everything in memory.
// People sign in by their email address alone; one that begins with "unconfirmed" is not confirmed there.

import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const [issuer, redirect] = process.argv.slice(2);

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "movie-bag",
      client_secret: "a secret of the tests: 100%",
      redirect_uris: [redirect],
    },
  ],
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  cookies: { keys: ["of the tests"] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  pkce: { required: () => true },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: id, email_verified: !id.startsWith("unconfirmed") }),
  }),
  // Nobody is asked whether this client may know the address.
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope("openid email");
    await grant.save();
    return grant;
  },
});

const page = (path) => `<!doctype html><html lang="en"><title>The provider</title><link rel="icon" href="data:,">
  <form method="post" action="${path}"><label>Who are you? <input name="login"></label>
  <button>Sign in</button><button name="cancel" value="yes">Cancel</button></form>`;

const answers = provider.callback();
createServer(async (request, response) => {
  if (!request.url.startsWith("/interaction/")) return answers(request, response);
  if (request.method === "GET") {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    return response.end(page(request.url));
  }
  let body = "";
  for await (const part of request) body += part;
  const form = new URLSearchParams(body);
  const result = form.get("cancel") ? { error: "access_denied" } : { login: { accountId: form.get("login") } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}).listen(Number(new URL(issuer).port), "127.0.0.1", () => console.log(`The provider listens on ${issuer}`));
