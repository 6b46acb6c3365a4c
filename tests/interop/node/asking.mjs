// @openid4vc/openid4vp as a verifier: asks by a signed request object, and judges the one answer that comes.
// in: x5c, key, query, enc?, clientId?, transactions?, tamper?     out, line by line: the link; then what came of it
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { Openid4vpVerifier } from "@openid4vc/openid4vp";
import { ES256, digest, generateSalt } from "@sd-jwt/crypto-nodejs";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import { decodeProtectedHeader, exportJWK } from "jose";
import { callbacks, leafKey, newKey } from "./crypto.mjs";
import { attempted, heard, say } from "./spoken.mjs";

const { x5c, key, query, enc = "A256GCM", clientId, transactions, tamper = {} } = await heard();
const encryption = await newKey("ECDH-ES");
Object.assign(encryption.publicJwk, { kid: "of-this-request", use: "enc", alg: "ECDH-ES" });
const own = callbacks([key, encryption]);
const verifier = new Openid4vpVerifier({ callbacks: own });
const hash = createHash("sha256").update(Buffer.from(x5c[0], "base64")).digest("base64url");

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString("utf8")));
  if (request.url === "/request") {
    response.writeHead(200, { "content-type": "application/oauth-authz-req+jwt" });
    response.end((await asked(form.wallet_nonce)).jar.authorizationRequestJwt);
    return;
  }
  const told = await attempted(judged, form);
  response.writeHead(told.failed ? 400 : 200, { "content-type": "application/json" });
  response.end(JSON.stringify(told.failed ? { error: "invalid_request" } : {}));
  say(told);
});
await new Promise((ready) => server.listen(0, "localhost", ready));
const here = `http://localhost:${server.address().port}`;

const payload = {
  response_type: "vp_token",
  response_mode: "direct_post.jwt",
  client_id: clientId ?? `x509_hash:${hash}`,
  response_uri: `${here}/response`,
  nonce: randomBytes(16).toString("base64url"),
  state: randomBytes(8).toString("base64url"),
  dcql_query: query,
  ...(transactions ? { transaction_data: transactions } : {}),
  client_metadata: {
    jwks: { keys: [encryption.publicJwk] },
    encrypted_response_enc_values_supported: [enc],
    vp_formats_supported: { "dc+sd-jwt": { "sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"] } },
  },
};

async function asked(walletNonce) {
  return verifier.createOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: { ...payload, ...(walletNonce ? { wallet_nonce: walletNonce } : {}), ...tamper },
    wallet: { expectedNonce: walletNonce },
    jar: {
      requestUri: `${here}/request`,
      jwtSigner: { method: "x5c", x5c, alg: "ES256" },
      expiresInSeconds: 300,
      additionalJwtPayload: { aud: "https://self-issued.me/v2" },
    },
  });
}

async function judged(form) {
  const answer = await verifier.parseOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: payload,
    authorizationResponse: form,
    callbacks: own,
  });
  const reader = new SDJwtVcInstance({
    hasher: digest,
    saltGenerator: generateSalt,
    async verifier(data, signature) {
      const { x5c: chain } = decodeProtectedHeader(`${data}.${signature}`);
      return (await ES256.getVerifier(await exportJWK(await leafKey(chain))))(data, signature);
    },
    kbVerifier: async (data, signature, { cnf }) => (await ES256.getVerifier(cnf.jwk))(data, signature),
  });
  const shown = [];
  const proofs = {};
  for (const [id, [presentation]] of Object.entries(answer.dcql.presentations)) {
    const read = await reader.verify(presentation, { keyBindingNonce: payload.nonce });
    shown.push({ id, claims: read.payload, aud: read.kb.payload.aud });
    proofs[id] = [read.kb.payload];
  }
  const confirmed = transactions
    ? await verifier.verifyTransactionData({ transactionData: transactions, credentials: proofs })
    : [];
  return { mode: answer.jarm.type, header: decodeProtectedHeader(form.response), clientId: payload.client_id, shown, confirmed: confirmed.length };
}

const { authorizationRequest } = await asked();
say({ link: authorizationRequest });
