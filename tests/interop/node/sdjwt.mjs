// @sd-jwt/sd-jwt-vc as issuer, holder and verifier. The keys of what others signed come from their x5c leaf.
import { ES256, digest, generateSalt } from "@sd-jwt/crypto-nodejs";
import { getListFromStatusListJWT } from "@sd-jwt/jwt-status-list";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import { decodeProtectedHeader, exportJWK } from "jose";
import { leafKey } from "./crypto.mjs";
import { answer } from "./spoken.mjs";

const MADE_OF = { hasher: digest, hashAlg: "sha-256", saltGenerator: generateSalt };

// Whoever signed a JWT is named by the x5c in its own header; whether to trust that certificate is not asked here.
async function verifier(data, signature) {
  const { x5c } = decodeProtectedHeader(`${data}.${signature}`);
  return (await ES256.getVerifier(await exportJWK(await leafKey(x5c))))(data, signature);
}

async function kbVerifier(data, signature, { cnf }) {
  return (await ES256.getVerifier(cnf.jwk))(data, signature);
}

const does = {
  async issue({ payload, frame, header, privateJwk }) {
    const signer = await ES256.getSigner(privateJwk);
    const issuer = new SDJwtVcInstance({ ...MADE_OF, signer, signAlg: "ES256" });
    return { credential: await issuer.issue(payload, { _sd: frame }, { header }) };
  },
  async present({ credential, disclose, kb, privateJwk }) {
    const kbSigner = await ES256.getSigner(privateJwk);
    const holder = new SDJwtVcInstance({ ...MADE_OF, kbSigner, kbSignAlg: "ES256" });
    const frame = Object.fromEntries(disclose.map((name) => [name, true]));
    return { presentation: await holder.present(credential, frame, { kb: { payload: kb } }) };
  },
  async verify({ credential, nonce, at }) {
    const reader = new SDJwtVcInstance({ ...MADE_OF, verifier, kbVerifier });
    const { payload, kb } = await reader.verify(credential, { keyBindingNonce: nonce, currentDate: at });
    return { payload, kb: kb?.payload ?? null };
  },
  async statuses({ token, indices }) {
    const list = getListFromStatusListJWT(token);
    return { bits: list.getBitsPerStatus(), statuses: indices.map((each) => list.getStatus(each)) };
  },
};

await answer(({ act, ...asked }) => does[act](asked));
