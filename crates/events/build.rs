//! Compiles the contracts under proto/ to Rust types and their JSON mapping, without protoc.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const ROOT: &str = "../../proto";

const FILES: &[&str] = &[
    "argosy/fleet/v1/timeline.proto",
    "argosy/orders/v1/orders.proto",
];

/// Personal data: their Debug is written by hand and redacts.
const PERSONAL: &[&str] = &["argosy.orders.v1.Address", "argosy.orders.v1.Customer"];

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script by environment where to write"
)]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    let descriptors = protox::compile(FILES, [ROOT])?;
    let encoded = descriptors.encode_to_vec();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), &encoded)?;
    prost_build::Config::new()
        .enable_type_names()
        .skip_debug(PERSONAL)
        .compile_fds(descriptors)?;
    pbjson_build::Builder::new()
        .register_descriptors(&encoded)?
        .ignore_unknown_fields()
        .build(&[".argosy"])?;
    Ok(())
}
