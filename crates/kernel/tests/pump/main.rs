//! The pump through its public face: what it does with each input, rule by rule and scenario by scenario.

mod alone;
mod commits;
mod drains;
mod fences;
mod hold;
mod hostile;
mod intake;
mod model;
mod order;
mod owners;
mod parking;
mod retries;
mod rows;
mod seen;
mod world;
mod writes;
