//! The node: command line, configuration, homes, telemetry.
//!
//! Only this crate reads files, flags and the environment; every other receives values. A command is turned into a
//! checked value first ([`launch::Launch`], [`localnet::Localnet`]), and only then does anything run.

pub mod config;
pub mod development;
pub mod exit;
pub mod genesis_file;
pub mod home;
pub mod keys;
pub mod launch;
pub mod listeners;
pub mod localnet;
pub mod network;
pub mod ports;
