// Compiles the contracts again:
//
//   npm ci && node contracts/build.mjs      (in tests/clients)
//
// Writes an artefact beside each source, and the token's bytecode into the load tool, which cannot reach outside its crate. A
// test of the workspace holds the two against each other.
import { readFileSync, writeFileSync } from 'node:fs'
import solc from 'solc'

const CONTRACTS = ['Probe', 'Token']

const here = (path) => new URL(path, import.meta.url)
const settings = {
  evmVersion: 'cancun',
  optimizer: { enabled: true, runs: 200 },
  metadata: { bytecodeHash: 'none', appendCBOR: false },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
}
const sources = Object.fromEntries(CONTRACTS.map((name) => [`${name}.sol`, { content: readFileSync(here(`${name}.sol`), 'utf8') }]))
const output = JSON.parse(solc.compile(JSON.stringify({ language: 'Solidity', sources, settings })))
// The compiler warns wherever transient storage is used.
const problems = output.errors?.filter((error) => error.errorCode !== '2394') ?? []
if (problems.length) {
  console.error(problems.map((error) => error.formattedMessage).join('\n'))
  process.exit(1)
}
const bytecode = (name) => output.contracts[`${name}.sol`][name].evm.bytecode.object
for (const name of CONTRACTS) {
  const artefact = {
    compiler: `solc ${solc.version().split('+')[0]}`,
    settings: 'evmVersion cancun, optimizer 200 runs, no metadata',
    abi: output.contracts[`${name}.sol`][name].abi,
    bytecode: `0x${bytecode(name)}`,
  }
  writeFileSync(here(`${name}.json`), `${JSON.stringify(artefact, null, 2)}\n`)
}
writeFileSync(here('../../../node/src/load/token.hex'), `${bytecode('Token')}\n`)
