//! The gateway as its callers meet it: every address, every refusal, and what stands in the broker afterwards.

mod acknowledgement;
mod broker;
mod dead_letters;
mod edge;
mod intake;
mod limits;
mod operator;
mod serving;
mod status;
mod webhook;
