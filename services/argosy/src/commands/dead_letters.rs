//! `argosy dead-letters ls|show|replay|release`: dead records, and what an operator does about them.

mod ask;
mod list;
mod release_all;
mod show;

use argosy_shell::exit::Exit;
use argosy_store::LetterId;
use clap::{Args, Subcommand};

use crate::{
    cli::Common,
    client::{GatewayClient, Where},
    failed::Failed,
    process::block_on,
};

/// Look at dead records, run one again, and let go what waits behind one
#[derive(Debug, Args)]
#[command(
    after_help = "Needs the operator's token: ARGOSY__GATEWAY__OPERATOR_TOKEN or …_FILE.\n\n\
    A dead letter is named by its worker and its record's place: worker/topic/partition/offset.\n\n\
    Examples:\n  \
    argosy dead-letters ls --state dead --cause refused\n  \
    argosy dead-letters ls --correlation order-1001 --json | jq -r '.dead_letters[].id'\n  \
    argosy dead-letters show orders/argosy.order-events.v1/3/42 --value\n  \
    argosy dead-letters replay orders/argosy.order-events.v1/3/42 --wait 60s\n  \
    argosy dead-letters release orders/argosy.order-events.v1/3/42\n  \
    argosy dead-letters release --all --worker orders --yes"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List dead letters, newest first, without what their records say
    Ls(list::Arguments),
    /// Show one dead letter
    Show(show::Arguments),
    /// Run one dead record again: at the head of its lane, by the owner of its partition
    Replay(ask::Replay),
    /// Let the records of its key go on that wait behind a dead one, without it
    Release(ask::Release),
}

pub(crate) fn run(common: &Common, arguments: &Arguments) -> Result<Exit, Failed> {
    let config = common.load(&[])?;
    let Some(token) = config.gateway.operator_token.clone() else {
        return Err(Failed::new(
            Exit::Configuration,
            "the operator's token is missing: set ARGOSY__GATEWAY__OPERATOR_TOKEN or …_FILE",
        ));
    };
    let client = GatewayClient::new(&arguments.place, &config)?.with_token(Some(token));
    let format = common.format();
    block_on(async {
        match &arguments.what {
            What::Ls(asked) => list::run(&client, format, asked).await,
            What::Show(asked) => show::run(&client, format, asked).await,
            What::Replay(asked) => ask::replay(&client, format, asked).await,
            What::Release(asked) => ask::release(&client, format, asked).await,
        }
    })
}

/// The address of a letter, and what is asked of it.
fn path(id: &LetterId) -> [String; 6] {
    [
        "v1".to_owned(),
        "dead-letters".to_owned(),
        id.worker.to_string(),
        id.topic.to_string(),
        id.partition.to_string(),
        id.offset.to_string(),
    ]
}

fn segments<'a>(path: &'a [String; 6], more: Option<&'a str>) -> Vec<&'a str> {
    path.iter().map(String::as_str).chain(more).collect()
}
