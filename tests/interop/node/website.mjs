// @openid4vc/openid4vp behind a website that asks by the Digital Credentials API.
// ask: x5c, key, query, origin, signed -> protocol, data, and what judging needs     judge: payload, encryption, data
import { createHash, randomBytes } from "node:crypto";
import { Openid4vpVerifier } from "@openid4vc/openid4vp";
import { callbacks, newKey } from "./crypto.mjs";
import { answer } from "./spoken.mjs";

const does = {
  async ask({ x5c, key, query, origin, signed }) {
    const encryption = await newKey("ECDH-ES");
    Object.assign(encryption.publicJwk, { kid: "of-this-request", use: "enc", alg: "ECDH-ES" });
    const hash = createHash("sha256").update(Buffer.from(x5c[0], "base64")).digest("base64url");
    const payload = {
      response_type: "vp_token",
      response_mode: "dc_api.jwt",
      nonce: randomBytes(16).toString("base64url"),
      dcql_query: query,
      client_metadata: {
        jwks: { keys: [encryption.publicJwk] },
        encrypted_response_enc_values_supported: ["A256GCM"],
        vp_formats_supported: { "dc+sd-jwt": { "sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"] } },
      },
      ...(signed ? { client_id: `x509_hash:${hash}`, expected_origins: [origin] } : {}),
    };
    const verifier = new Openid4vpVerifier({ callbacks: callbacks([key, encryption]) });
    const jar = {
      jwtSigner: { method: "x5c", x5c, alg: "ES256" },
      additionalJwtPayload: { aud: "https://self-issued.me/v2" },
      expiresInSeconds: 300,
    };
    const { authorizationRequestObject } = await verifier.createOpenId4vpAuthorizationRequest({
      authorizationRequestPayload: payload,
      ...(signed ? { jar } : {}),
    });
    const data = signed ? { request: authorizationRequestObject.request } : authorizationRequestObject;
    return { protocol: `openid4vp-v1-${signed ? "signed" : "unsigned"}`, data, payload, encryption };
  },
  async judge({ payload, encryption, data, origin }) {
    const own = callbacks([encryption]);
    const verifier = new Openid4vpVerifier({ callbacks: own });
    const { dcql } = await verifier.parseOpenid4vpAuthorizationResponse({
      authorizationRequestPayload: payload,
      authorizationResponse: data,
      origin,
      callbacks: own,
    });
    return { presentations: dcql.presentations };
  },
};

await answer(({ act, ...asked }) => does[act](asked));
