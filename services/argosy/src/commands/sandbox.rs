//! `argosy sandbox`: the stand-ins for vendors, in a process of their own.

use argosy_sandbox::{RepeatClass, Sandbox, Settings, SupplierSettings};
use argosy_shell::{
    config::{self, Config, Part, Repeat},
    exit::Exit,
};
use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::Common,
    failed::{Failed, OrExit},
    output::say,
    process::{self, stay},
};

/// Run the stand-ins for suppliers (dev profile only)
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  argosy sandbox\n  ARGOSY__SANDBOX__LISTEN=127.0.0.1:8090 argosy sandbox --config argosy.toml"
)]
pub(crate) struct Arguments {}

pub(crate) fn run(common: &Common, _: &Arguments) -> Result<Exit, Failed> {
    let config = common.load(&[Part::Sandbox])?;
    stay(&config, "sandbox", async |process| {
        let part = part(&config, process.stop.clone()).await?;
        process.health.started();
        Ok(vec![("sandbox".to_owned(), part)])
    })
}

/// Binds the sandbox and says where; the part serves it.
pub(crate) async fn part(
    config: &Config,
    stop: CancellationToken,
) -> Result<process::Part, Failed> {
    let sandbox = config
        .sandbox
        .as_ref()
        .expect("whoever runs the sandbox has loaded the configuration for it");
    let bound = Sandbox::bind(settings(sandbox))
        .await
        .or_exit(Exit::Configuration)?;
    say(&format!(
        "sandbox listens on http://{}, receipts in {}",
        bound.address(),
        sandbox.receipts.display()
    ));
    Ok(Box::pin(async move { Ok(bound.run(stop).await?) }))
}

fn settings(sandbox: &config::Sandbox) -> Settings {
    let suppliers = sandbox.suppliers.iter().map(|(name, supplier)| {
        let repeat = match supplier.repeat {
            Repeat::Natural => RepeatClass::Natural,
            Repeat::Remembered(span) => RepeatClass::Remembered(span),
            Repeat::Never => RepeatClass::Never {
                lookup: supplier.lookup,
            },
        };
        let token = supplier.token.expose().to_owned();
        (name.clone(), SupplierSettings { repeat, token })
    });
    Settings {
        listen: sandbox.listen,
        receipts: sandbox.receipts.clone(),
        faults: sandbox.faults.clone(),
        suppliers: suppliers.collect(),
    }
}
