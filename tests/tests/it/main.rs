//! The product from outside, in one binary.
#![allow(clippy::unwrap_used)]

mod actors;
mod adversarial;
mod bad_input;
mod calm;
mod chaos;
mod command_line;
mod compose;
mod disk;
mod faces;
mod faults;
mod gossip;
mod health;
mod layering;
mod light_client;
mod listener;
mod load;
mod losses;
mod one_trace;
mod overrides;
mod partitions;
mod past;
mod peers;
mod rest;
mod restarts;
mod rpc;
mod security_pipeline;
mod service;
mod sign_state;
mod sweep;
mod testnet;
mod traces;
mod transactions;
mod unit_file;
mod wire;
