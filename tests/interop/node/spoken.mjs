// A program of the tests: one JSON object on stdin, one on stdout. What a peer refuses is an answer, not a crash.
import { setGlobalConfig } from "@openid4vc/utils";

setGlobalConfig({ allowInsecureUrls: true });

export async function answer(handler) {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const asked = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  let told;
  try {
    told = await handler(asked);
  } catch (error) {
    told = { failed: error.name ?? "Error", message: String(error.message), ...(await refusal(error)) };
  }
  process.stdout.write(JSON.stringify(told));
}

// The libraries keep what a server answered in different places.
async function refusal(error) {
  const response = error.response?.response ?? error.response;
  const body =
    error.errorResponse ?? error.response?.credentialErrorResponseResult?.data ?? (await read(response)) ?? null;
  return { status: response?.status ?? null, refusal: body };
}

async function read(response) {
  try {
    return await response.clone().json();
  } catch {
    return null;
  }
}
