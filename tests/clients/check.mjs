// What every check needs: facts that hold or end the run, and waiting for a condition with a deadline.

/** Milliseconds that any single condition may take to come true. */
export const WAIT_LIMIT_MS = 30_000;

export function fact(name, holds, found) {
  if (!holds) {
    console.error(`FAILED  ${name}${found === undefined ? '' : `: found ${show(found)}`}`);
    process.exit(1);
  }
  console.log(`ok      ${name}`);
}

/** Asks again until `look` gives something; an error it throws is what the last try says. */
export async function eventually(name, look) {
  const deadline = Date.now() + WAIT_LIMIT_MS;
  let last;
  while (Date.now() < deadline) {
    try {
      const found = await look();
      if (found) return found;
      last = found;
    } catch (error) {
      last = error.shortMessage ?? error.message;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  fact(`${name} within ${WAIT_LIMIT_MS / 1000} s`, false, last);
}

/** The error that `attempt` ends with; a success is a failure. */
export async function refused(name, attempt) {
  try {
    fact(name, false, await attempt());
  } catch (error) {
    return error;
  }
}

function show(value) {
  return JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? part.toString() : part));
}
