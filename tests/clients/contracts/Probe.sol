// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// What clients are checked with beside a token: every kind of log and of revert, gas, transient storage, and code for an account
/// that delegates to it (EIP-7702).
contract Probe {
    struct Call {
        address to;
        uint256 value;
        bytes data;
    }

    event Noted(address indexed by, uint256 indexed key, string indexed tag, uint256 value, string text);
    event Plain(uint256 value);
    event Nameless(uint256 indexed key, uint256 value) anonymous;
    event Remembered(uint256 before, uint256 inside);
    event Executed(uint256 calls);
    event Received(address indexed from, uint256 value);

    error Refused(address by, uint256 code);
    error NotTheAccount(address by);
    error CallFailed(uint256 index, bytes reason);

    mapping(uint256 => uint256) public notes;
    bytes32 public burned;
    uint256 public transient remembered;

    receive() external payable {
        emit Received(msg.sender, msg.value);
    }

    function note(uint256 key, string calldata tag, uint256 value, string calldata text) external payable {
        notes[key] = value;
        emit Noted(msg.sender, key, tag, value, text);
        emit Plain(value);
        emit Nameless(key, value);
    }

    // Each of these writes first: what is reverted must not stay.

    function failWithReason(uint256 key, string calldata reason) external {
        notes[key] = 1;
        revert(reason);
    }

    function failWithError(uint256 key, uint256 code) external {
        notes[key] = 1;
        revert Refused(msg.sender, code);
    }

    function failWithPanic(uint256 key) external {
        notes[key] = type(uint256).max;
        notes[key] += 1;
    }

    function failWithNothing(uint256 key) external {
        notes[key] = 1;
        revert();
    }

    /// Gas in proportion to `rounds`.
    function burn(uint256 rounds) external returns (bytes32 hash) {
        hash = bytes32(rounds);
        for (uint256 round = 0; round < rounds; round++) hash = keccak256(abi.encode(hash));
        burned = hash;
    }

    /// Transient storage: seen by a call inside this transaction, gone in the next.
    function remember(uint256 value) external returns (uint256 before, uint256 inside) {
        before = remembered;
        remembered = value;
        inside = this.remembered();
        emit Remembered(before, inside);
    }

    /// Many calls in one transaction, for an account that delegates to this code: only the account itself may ask.
    function execute(Call[] calldata calls) external payable {
        if (msg.sender != address(this)) revert NotTheAccount(msg.sender);
        for (uint256 index = 0; index < calls.length; index++) {
            Call calldata one = calls[index];
            (bool ok, bytes memory reason) = one.to.call{value: one.value}(one.data);
            if (!ok) revert CallFailed(index, reason);
        }
        emit Executed(calls.length);
    }
}
