//! `argosy dead-letters release --all`: page after page of the letters that hold a key, each released by an ask of its own.
//!
//! What is held by a death that comes while it runs is not waited for: asked again, it is released as well.

use argosy_shell::exit::Exit;
use argosy_store::LetterId;
use serde_json::json;

use super::{
    ask::{Actor, Asked, try_post},
    list::Pages,
};
use crate::{
    client::GatewayClient,
    failed::Failed,
    output::{Format, say},
};

/// Letters of one page.
const PAGE_ROWS: usize = 200;

/// What came of all asks.
#[derive(Debug, Default)]
struct Counts {
    released: u64,
    /// Released by somebody else meanwhile, or asked for something before.
    passed_over: u64,
}

pub(super) async fn run(
    client: &GatewayClient,
    format: Format,
    worker: Option<&str>,
    actor: &Actor,
) -> Result<Exit, Failed> {
    let mut question = vec![("held", "true".to_owned())];
    question.extend(worker.map(|worker| ("worker", worker.to_owned())));
    let mut pages = Pages::new(question);
    let mut counts = Counts::default();
    while let Some(page) = pages.next(client, PAGE_ROWS).await? {
        for letter in page {
            let id: LetterId = letter["id"]
                .as_str()
                .and_then(|id| id.parse().ok())
                .ok_or_else(|| client.foreign())?;
            release(client, &id, actor, &mut counts).await?;
        }
        say(&format!(
            "argosy: asked to release {} held keys",
            counts.released
        ));
    }
    let Counts {
        released,
        passed_over,
    } = counts;
    let told = json!({ "asked": released, "passed_over": passed_over });
    format.data(&told, |_| {
        format!("asked to release {released} held keys, passed over {passed_over}\n")
    });
    Ok(Exit::Done)
}

async fn release(
    client: &GatewayClient,
    id: &LetterId,
    actor: &Actor,
    counts: &mut Counts,
) -> Result<(), Failed> {
    match try_post(client, id, "release", actor).await? {
        Asked::Taken(_) => counts.released += 1,
        Asked::Refused(failed) => {
            say(&format!("argosy: {id} is passed over: {:#}", failed.error));
            counts.passed_over += 1;
        }
    }
    Ok(())
}
