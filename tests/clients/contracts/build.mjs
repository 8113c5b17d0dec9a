// Compiles Token.sol again:
//
//   npm install --no-save solc@0.8.30 && node contracts/build.mjs      (in tests/clients)
//
// Writes Token.json beside the source, and its bytecode into the load tool, which cannot reach outside its crate. A test of
// the workspace holds the two against each other.
import { readFileSync, writeFileSync } from 'node:fs'
import solc from 'solc'

const here = (path) => new URL(path, import.meta.url)
const settings = {
  evmVersion: 'cancun',
  optimizer: { enabled: true, runs: 200 },
  metadata: { bytecodeHash: 'none', appendCBOR: false },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
}
const sources = { 'Token.sol': { content: readFileSync(here('Token.sol'), 'utf8') } }
const output = JSON.parse(solc.compile(JSON.stringify({ language: 'Solidity', sources, settings })))
if (output.errors?.length) {
  console.error(output.errors.map((error) => error.formattedMessage).join('\n'))
  process.exit(1)
}
const { abi, evm } = output.contracts['Token.sol'].Token
const artefact = {
  compiler: `solc ${solc.version().split('+')[0]}`,
  settings: 'evmVersion cancun, optimizer 200 runs, no metadata',
  abi,
  bytecode: `0x${evm.bytecode.object}`,
}
writeFileSync(here('Token.json'), `${JSON.stringify(artefact, null, 2)}\n`)
writeFileSync(here('../../../node/src/load/token.hex'), `${evm.bytecode.object}\n`)
