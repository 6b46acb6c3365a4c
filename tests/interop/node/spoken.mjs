// A program of the tests: one JSON object on stdin, one on stdout. What a peer refuses is an answer, not a crash.
import { setGlobalConfig } from "@openid4vc/utils";

setGlobalConfig({ allowInsecureUrls: true });

export async function heard() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

export const say = (told) => process.stdout.write(`${JSON.stringify(told)}\n`);

export async function attempted(handler, asked) {
  try {
    return await handler(asked);
  } catch (error) {
    return { failed: error.name ?? "Error", message: String(error.message), ...(await refusal(error)) };
  }
}

export async function answer(handler) {
  say(await attempted(handler, await heard()));
}

// The libraries keep what a server answered in different places.
async function refusal(error) {
  const response = error.response?.response ?? error.response;
  const body =
    (typeof error.error === "string" ? { error: error.error } : null) ??
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
