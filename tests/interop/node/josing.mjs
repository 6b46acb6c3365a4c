// `jose` on what our services sign and encrypt.
import * as jose from "jose";
import { leafKey, newKey } from "./crypto.mjs";
import { answer } from "./spoken.mjs";

const text = new TextDecoder();
const bytes = (value) => new TextEncoder().encode(value);

const does = {
  // The key comes from the token's own x5c, or is handed in; `typ` and `alg` are demanded.
  async verify({ token, typ, jwk }) {
    const { x5c } = jose.decodeProtectedHeader(token);
    const key = jwk ? await jose.importJWK(jwk, "ES256") : await leafKey(x5c);
    const { payload, protectedHeader } = await jose.jwtVerify(token, key, { typ, algorithms: ["ES256"] });
    return { payload, header: protectedHeader };
  },
  async key() {
    return newKey("ECDH-ES");
  },
  async decrypt({ token, privateJwk }) {
    const key = await jose.importJWK(privateJwk, "ECDH-ES");
    const { plaintext, protectedHeader } = await jose.compactDecrypt(token, key);
    return { plaintext: text.decode(plaintext), header: protectedHeader };
  },
  async encrypt({ plaintext, publicJwk, enc, apu, apv }) {
    const key = await jose.importJWK(publicJwk, "ECDH-ES");
    const token = await new jose.CompactEncrypt(bytes(plaintext))
      .setProtectedHeader({ alg: "ECDH-ES", enc, kid: publicJwk.kid })
      .setKeyManagementParameters({ apu: bytes(apu), apv: bytes(apv) })
      .encrypt(key);
    return { token };
  },
};

await answer(({ act, ...asked }) => does[act](asked));
