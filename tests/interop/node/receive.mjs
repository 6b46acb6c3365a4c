// @openid4vc as a wallet: takes what an offer offers.
// in: offer, txCode?, count?, event?     out: version, configurationId, credentials, keys, notificationStatus
import { Openid4vciClient } from "@openid4vc/openid4vci";
import { callbacks, newKey } from "./crypto.mjs";
import { answer } from "./spoken.mjs";

await answer(async ({ offer, txCode, count = 1, nonce, audience, event = "credential_accepted" }) => {
  const keys = await Promise.all(Array.from({ length: count }, () => newKey()));
  const client = new Openid4vciClient({ callbacks: callbacks(keys) });
  const credentialOffer = await client.resolveCredentialOffer(offer);
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer);
  const { accessTokenResponse } = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
    credentialOffer,
    issuerMetadata,
    txCode,
  });
  const [credentialConfigurationId] = credentialOffer.credential_configuration_ids;
  const { c_nonce } = await client.requestNonce({ issuerMetadata });
  const proved = structuredClone(issuerMetadata);
  if (audience) proved.credentialIssuer.credential_issuer = audience;
  const proofs = await Promise.all(
    keys.map(({ publicJwk }) =>
      client.createCredentialRequestJwtProof({
        issuerMetadata: proved,
        credentialConfigurationId,
        nonce: nonce ?? c_nonce,
        signer: { method: "jwk", publicJwk, alg: "ES256" },
      }),
    ),
  );
  const { credentialResponse } = await client.retrieveCredentials({
    issuerMetadata,
    credentialConfigurationId,
    accessToken: accessTokenResponse.access_token,
    proofs: { jwt: proofs.map(({ jwt }) => jwt) },
  });
  const { response } = await client.sendNotification({
    issuerMetadata,
    accessToken: accessTokenResponse.access_token,
    notification: { notificationId: credentialResponse.notification_id, event },
  });
  return {
    version: issuerMetadata.originalDraftVersion,
    configurationId: credentialConfigurationId,
    credentials: credentialResponse.credentials.map(({ credential }) => credential),
    keys,
    notificationStatus: response.status,
  };
});
