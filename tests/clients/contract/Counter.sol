// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// What clients are checked with: state, a call, logs with indexed values, and three ways to revert.
contract Counter {
    event Changed(address indexed by, uint256 indexed to, uint256 from);

    error TooLarge(uint256 given, uint256 max);

    uint256 public constant MAX = 1000;
    uint256 public number;

    constructor(uint256 start) {
        number = start;
        emit Changed(msg.sender, start, 0);
    }

    function set(uint256 to) external {
        require(to != number, "counter: nothing changes");
        if (to > MAX) revert TooLarge(to, MAX);
        emit Changed(msg.sender, to, number);
        number = to;
    }

    function divide(uint256 by) external view returns (uint256) {
        return number / by;
    }
}
