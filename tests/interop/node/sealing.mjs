// `jose` encrypts for a foreign issuer what passes between it and a wallet: the libraries leave that to their users.
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader, importJWK } from "jose";
import { newKey } from "./crypto.mjs";
import { Refusal } from "./granting.mjs";

const [MEDIA, ENC] = ["application/jwt", "A256GCM"];
const bad = () => new Refusal(400, { error: "invalid_encryption_parameters" });

export async function sealing() {
  const { publicJwk, privateJwk } = await newKey("ECDH-ES");
  const jwk = { ...publicJwk, kid: "of-the-office", use: "enc", alg: "ECDH-ES" };
  const demanded = { enc_values_supported: [ENC], encryption_required: true };
  const metadata = {
    credential_request_encryption: { jwks: { keys: [jwk] }, ...demanded },
    credential_response_encryption: { alg_values_supported: ["ECDH-ES"], ...demanded },
  };

  async function opened(request) {
    if (request.headers.get("content-type") !== MEDIA) throw bad();
    const token = await request.text();
    if (decodeProtectedHeader(token).kid !== jwk.kid) throw bad();
    const { plaintext } = await compactDecrypt(token, await importJWK(privateJwk, "ECDH-ES"));
    return JSON.parse(new TextDecoder().decode(plaintext));
  }

  async function sealed(said, { status, wanted }) {
    if (!wanted) throw bad();
    const header = { alg: wanted.jwk.alg, enc: wanted.enc, kid: wanted.jwk.kid };
    const token = await new CompactEncrypt(new TextEncoder().encode(JSON.stringify(said)))
      .setProtectedHeader(header)
      .encrypt(await importJWK(wanted.jwk, wanted.jwk.alg));
    return new Response(token, { status, headers: { "content-type": MEDIA, "cache-control": "no-store" } });
  }

  return { metadata, opened, sealed };
}

// The same in the clear, for an office that encrypts nothing.
export const clear = {
  metadata: {},
  opened: (request) => request.json(),
  sealed: (said, { status }) => Response.json(said, { status, headers: { "cache-control": "no-store" } }),
};
