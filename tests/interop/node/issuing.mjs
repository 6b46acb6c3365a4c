// A foreign issuer over HTTP: the authorization server of granting.mjs, the protocol of crediting.mjs, and credentials of
// sdjwtvc.mjs or, with `w3c`, of w3c.mjs.
// in: port, configurationId, vct, claims, office, status; w3c; batch, later, sealed; and what it is to do wrong
// out, line by line: what it offers; then everything that it was told in notifications
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { crediting } from "./crediting.mjs";
import { granting } from "./granting.mjs";
import { sdJwtVc } from "./sdjwtvc.mjs";
import { clear, sealing } from "./sealing.mjs";
import { heard, say } from "./spoken.mjs";
import { w3c } from "./w3c.mjs";

const PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code";
const { port, wrong = {}, ...asked } = await heard();
const here = `http://localhost:${port}`;
const issuer = `${here}/office`;
const [preAuthorizedCode, txCode] = [randomBytes(24).toString("base64url"), "493536"];

const server = await granting(issuer, { scope: asked.configurationId, preAuthorizedCode, txCode });
const letters = asked.sealed ? await sealing() : clear;
const { contexts, types } = asked.w3c ?? {};
const maker = asked.w3c
  ? w3c(issuer, { ...asked.w3c, claims: asked.claims })
  : sdJwtVc(issuer, { ...asked, signing: wrong.signing });
const office = crediting(issuer, {
  ...asked,
  maker,
  configuration: asked.w3c
    ? { format: "vc+jwt", credential_definition: { "@context": contexts, type: types } }
    : { format: "dc+sd-jwt", vct: asked.vct },
  refuseNonces: wrong.nonces,
  more: letters.metadata,
});

const json = (value, headers) => Response.json(value, { headers: { "cache-control": "no-store", ...headers } });
const form = async (request) => Object.fromEntries(new URLSearchParams(await request.text()));

const routes = {
  "GET /.well-known/openid-credential-issuer/office": () => json({ ...office.metadata, ...wrong.metadata }),
  "GET /.well-known/oauth-authorization-server/office": () => json({ ...server.metadata, ...wrong.server }),
  "GET /office/jwks": () => json(server.jwks),
  "POST /office/par": async (request) =>
    Response.json(await server.par(request, await form(request.clone())), { status: 201 }),
  "GET /office/authorize": (_, { searchParams }) =>
    new Response(null, { status: 303, headers: { location: server.authorize(Object.fromEntries(searchParams)) } }),
  "POST /office/token": async (request) => json(await server.token(request, await form(request.clone()))),
  "POST /office/nonce": () => json(office.nonce()),
  "POST /office/credential": (request) => asking(request, office.credential),
  "POST /office/deferred_credential": (request) => asking(request, office.deferred),
  "GET /office/did.json": () => (asked.w3c ? json(maker.document) : new Response(null, { status: 404 })),
  "POST /office/notification": async (request) => {
    await server.holdsToken(request);
    say(await request.clone().json());
    return new Response(null, { status: 204 });
  },
  // Not of the protocol: how the test tells the office to revoke (1), suspend (2) or reinstate (0), and what it saw.
  "GET /desk/seen": () => json(office.seen),
  "PUT /desk/status": async (request) => {
    maker.mark(Number(await request.text()));
    return new Response(null, { status: 204 });
  },
};

async function asking(request, answer) {
  await server.holdsToken(request);
  const body = await letters.opened(request.clone());
  const { status, said } = await answer(body);
  return letters.sealed(said, { status, wanted: body.credential_response_encryption });
}

async function answered(request) {
  const url = new URL(request.url);
  const list = request.method === "GET" ? maker.served(request.url) : null;
  if (list) return new Response(await list.body(), { headers: { "content-type": list.type } });
  const route = routes[`${request.method} ${url.pathname}`];
  return route ? route(request, url) : new Response(null, { status: 404 });
}

function refused(error) {
  if (error.wwwAuthenticateHeaders) {
    return new Response(null, { status: 401, headers: { "www-authenticate": error.toHeaderValue() } });
  }
  const body = error.errorResponse ?? { error: "server_error", error_description: String(error.stack) };
  return Response.json(body, { status: error.errorResponse ? (error.status ?? 400) : 500, headers: error.headers ?? {} });
}

createServer(async (incoming, outgoing) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const body = chunks.length ? Buffer.concat(chunks) : undefined;
  const request = new Request(`${here}${incoming.url}`, { method: incoming.method, headers: incoming.headers, body });
  const response = await answered(request).catch(refused);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(Buffer.from(await response.arrayBuffer()));
}).listen(port, "localhost", async () => {
  const tx_code = { input_mode: "numeric", length: txCode.length };
  say({
    issuer,
    link: await office.offer({ [PRE_AUTHORIZED]: { "pre-authorized_code": preAuthorizedCode, tx_code } }),
    txCode,
    signInLink: await office.offer({ authorization_code: { issuer_state: "of-this-offer" } }),
  });
});
