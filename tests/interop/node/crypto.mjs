// The callbacks that the openid4vc libraries leave to the wallet, made of `jose` and of Node's own X.509.
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { clientAuthenticationAnonymous } from "@openid4vc/oauth2";
import * as jose from "jose";

export async function newKey(alg = "ES256") {
  const pair = await jose.generateKeyPair(alg, { extractable: true });
  return { publicJwk: await jose.exportJWK(pair.publicKey), privateJwk: await jose.exportJWK(pair.privateKey) };
}

export async function leafKey(x5c, alg = "ES256") {
  const pem = new X509Certificate(Buffer.from(x5c[0], "base64")).publicKey.export({ type: "spki", format: "pem" });
  return jose.importSPKI(pem, alg, { extractable: true });
}

function names(certificate) {
  const text = new X509Certificate(Buffer.from(certificate, "base64")).subjectAltName ?? "";
  const of = (kind) => text.split(", ").filter((each) => each.startsWith(kind)).map((each) => each.slice(kind.length));
  return { sanDnsNames: of("DNS:"), sanUriNames: of("URI:") };
}

async function keyOf(signer) {
  if (signer.method === "x5c") return leafKey(signer.x5c, signer.alg);
  if (signer.method === "jwk") return jose.importJWK(signer.publicJwk, signer.alg);
  throw new Error(`no key for a signer named by ${signer.method}`);
}

// `keys` are the pairs that this side signs or decrypts with; who signs by certificate has one.
export function callbacks(keys = []) {
  const own = (jwk) => keys.find(({ publicJwk }) => !jwk || (publicJwk.x === jwk.x && publicJwk.y === jwk.y));
  return {
    fetch: globalThis.fetch,
    clientAuthentication: clientAuthenticationAnonymous(),
    generateRandom: (length) => randomBytes(length),
    hash: (data, alg) => createHash(alg.replace("-", "")).update(data).digest(),
    getX509CertificateMetadata: names,
    async signJwt(signer, { header, payload }) {
      const { privateJwk, publicJwk } = own(signer.publicJwk);
      const key = await jose.importJWK(privateJwk, signer.alg);
      return { jwt: await new jose.SignJWT(payload).setProtectedHeader(header).sign(key), signerJwk: publicJwk };
    },
    async verifyJwt(signer, { compact }) {
      const key = await keyOf(signer);
      await jose.compactVerify(compact, key);
      return { verified: true, signerJwk: await jose.exportJWK(key) };
    },
    async encryptJwe(to, data) {
      const header = { alg: to.alg, enc: to.enc, kid: to.publicJwk.kid };
      const jwe = await new jose.CompactEncrypt(new TextEncoder().encode(data))
        .setProtectedHeader(header)
        .encrypt(await jose.importJWK(to.publicJwk, to.alg));
      return { jwe, encryptionJwk: to.publicJwk };
    },
    async decryptJwe(jwe) {
      const { kid } = jose.decodeProtectedHeader(jwe);
      const { privateJwk, publicJwk } = keys.find((key) => key.publicJwk.kid === kid);
      const { plaintext } = await jose.compactDecrypt(jwe, await jose.importJWK(privateJwk, "ECDH-ES"));
      return { decrypted: true, decryptionJwk: publicJwk, payload: new TextDecoder().decode(plaintext) };
    },
  };
}
