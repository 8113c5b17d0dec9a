//! The product from outside, in one binary.
#![allow(clippy::unwrap_used)]

mod actors;
mod bad_input;
mod chaos;
mod command_line;
mod disk;
mod faces;
mod faults;
mod health;
mod layering;
mod light_client;
mod load;
mod losses;
mod one_trace;
mod overrides;
mod past;
mod peers;
mod rest;
mod restarts;
mod rpc;
mod service;
mod sign_state;
mod sweep;
mod testnet;
mod traces;
mod transactions;
mod unit_file;
