// The contracts that clients deploy.
import { readFileSync } from 'node:fs';

const read = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url)));

export const Counter = read('contract/Counter.json');
export const Probe = read('contracts/Probe.json');
export const Token = read('contracts/Token.json');
