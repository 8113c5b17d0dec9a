// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Probe} from "../contracts/Probe.sol";
import {Token} from "../contracts/Token.sol";

interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
}

/// Deploys a token and a probe and uses both, one transaction after the other.
contract Deploy {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    // How forge knows a script.
    bool public constant IS_SCRIPT = true;

    function run(address to) external returns (Token token, Probe probe) {
        vm.startBroadcast();
        token = new Token(1000);
        probe = new Probe();
        token.transfer(to, 7);
        probe.note{value: 3}(1, "script", 11, "from a script");
        vm.stopBroadcast();
    }
}
