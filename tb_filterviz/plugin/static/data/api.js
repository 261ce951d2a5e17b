// Questions to the server; http_api.md says what it answers.

async function get(route, query, signal) {
  const address = `./${route}?${new URLSearchParams(query)}`;
  let answer;
  try {
    answer = await fetch(address, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("TensorBoard does not answer. Is it still running?");
  }
  if (!answer.ok) throw new Error((await answer.text()).slice(0, 500) || `TensorBoard answers ${answer.status}.`);
  return answer;
}

export async function getJson(route, query = {}, signal = undefined) {
  return (await get(route, query, signal)).json();
}

export function getTiles(query, signal = undefined) {
  return getPacked("tiles", query, signal);
}

export async function getPacked(route, query, signal = undefined) {
  const buffer = await (await get(route, query, signal)).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const [, count, height, width, channels] = header.shape;
  return { steps: header.steps, count, height, width, channels, bytes: new Uint8Array(buffer, 4 + length) };
}
