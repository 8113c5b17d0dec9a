//! Figures from samples, and how they are shown.

pub mod statistics;
pub mod table;

pub use table::Table;
