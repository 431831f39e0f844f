//! The subcommands, one file each.

pub(crate) mod config;
pub(crate) mod dead_letters;
pub(crate) mod effects;
pub(crate) mod gateway;
pub(crate) mod migrate;
pub(crate) mod publish;
pub(crate) mod sandbox;
pub(crate) mod timeline;
pub(crate) mod topics;
pub(crate) mod up;
pub(crate) mod worker;
