//! The product tested from outside. The tests are in `tests/it`; the binary here is `axolotl` under another name.
