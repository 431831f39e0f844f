//! The storm: real processes under a seeded sequence of faults, judged from outside.
//!
//! `Arena` starts and strikes, `load` posts, `judge` reads the receipts; this file is the order in which they do so.

mod aftermath;
pub mod arena;
pub mod cpu;
pub mod evidence;
pub mod fleet;
pub mod judge;
pub mod load;
pub mod plan;
mod poison;
pub mod receipts;
pub mod report;

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{
    protocol::Protocol,
    suite::{Folder, progress},
};

use self::{
    arena::{Arena, ArenaSettings},
    load::{Book, LoadSettings},
    plan::Kind,
    receipts::{Receipt, Tail},
    report::{Report, Struck},
};

/// What a storm is asked to be.
#[derive(Clone, Debug)]
pub struct StormSettings {
    /// Decides load and faults.
    pub seed: u64,
    /// How long the load and the faults last.
    pub length: Duration,
    /// Whether anything strikes.
    pub calm: bool,
    /// Worker processes.
    pub workers: usize,
    /// How the workers join their groups.
    pub protocol: Protocol,
    /// Events per minute asked for.
    pub events_per_minute: f64,
    /// Distinct orders.
    pub keys: usize,
    /// How long a supplier takes, ms.
    pub latency_ms: (u64, u64),
    /// Share of the orders that are poison, in percent; past zero, keys are held behind their dead ones.
    pub poison_percent: f64,
    /// Where data and logs go.
    pub folder: Folder,
}

impl StormSettings {
    /// Whether any order is poison.
    pub fn has_poison(&self) -> bool {
        self.poison_percent > 0.0
    }
}

/// Past the load's end, the fleet has so long to settle everything.
const SETTLE_WITHIN: Duration = Duration::from_secs(150);

/// The same with poison: all that ran in a process which an order ended runs alone afterwards, one by one, and that
/// order three times more.
const POISON_SETTLES_WITHIN: Duration = Duration::from_secs(360);

/// The suppliers: SKU prefix, name, repeat class.
pub const SUPPLIERS: [(&str, &str, &str); 2] = [
    ("ACME-", "acme", "natural"),
    ("GLOBEX-", "globex", "remembered:24h"),
];

/// Runs a storm and judges it.
///
/// # Errors
///
/// If the fleet cannot be started, or the load not be posted. What the judge finds is in the report.
pub async fn run(settings: StormSettings) -> anyhow::Result<Report> {
    let mut arena = Arena::start(ArenaSettings {
        folder: settings.folder.clone(),
        workers: settings.workers,
        protocol: settings.protocol,
        latency_ms: settings.latency_ms,
        poison: settings.has_poison(),
    })
    .await?;
    let book = Book::default();
    let minutes = settings.length.as_secs_f64() / 60.0;
    let events = (settings.events_per_minute * minutes) as usize;
    let load = LoadSettings {
        gateway: arena.gateway_url(),
        seed: settings.seed,
        events,
        poison: poison::drawn(settings.seed, events, settings.poison_percent, minutes),
        bootstrap: arena.bootstrap(),
        keys: settings.keys,
        rate: settings.events_per_minute / 60.0,
        suppliers: SUPPLIERS
            .iter()
            .map(|(prefix, name, _)| ((*prefix).to_string(), (*name).to_string()))
            .collect(),
    };
    let asked = load.events;
    let posting = tokio::spawn(load::post_all(load, book.clone(), SETTLE_WITHIN));
    let mut watched = Watched {
        released: !settings.has_poison(),
        tail: Tail::new(&arena.receipts_path()),
        receipts: Vec::new(),
    };
    let mut struck = Vec::new();
    let mut idle = BTreeMap::new();
    if settings.calm {
        // All is accepted before anybody works on it, so that the workers alone set the pace.
        posting.await??;
        idle = arena.cpu_seconds();
        arena.start_workers()?;
    } else {
        arena.start_workers()?;
        struck = strike(&settings, &mut arena, &book, &mut watched).await?;
        arena.heal()?;
        posting.await??;
    }
    let mut settled = settle(&mut arena, &book, &mut watched).await?;
    let mut aftermath = None;
    if settings.has_poison() {
        let after = aftermath::release(&mut arena, &book, &mut watched).await?;
        settled &= after.settled;
        aftermath = Some(after);
    }
    let cpu_seconds = spent(&idle, arena.cpu_seconds());
    progress(&format!(
        "storm: asking the gateway for {} events",
        book.len()
    ));
    let not_done = arena.not_done(settings.seed, &book.entries()).await?;
    arena.end_workers()?;
    // What nobody waited for any longer is judged too: nothing can follow it now.
    watched.look()?;
    let lag = arena.lag()?;
    let report = Report::new(
        &settings,
        asked,
        &book,
        &watched.receipts,
        &struck,
        settled,
        not_done,
        lag,
        &cpu_seconds,
        &arena,
        aftermath.as_ref(),
    )?;
    arena.stop(report.failed());
    Ok(report)
}

/// The receipts so far.
struct Watched {
    tail: Tail,
    receipts: Vec<Receipt>,
    /// Whether what waits behind poison is owed as well.
    released: bool,
}

impl Watched {
    fn look(&mut self) -> anyhow::Result<()> {
        self.receipts.extend(self.tail.more()?);
        Ok(())
    }

    /// Applied calls that are still owed.
    fn owed(&self, book: &Book) -> usize {
        let asked = poison::calls_asked(&book.entries(), self.released);
        asked.saturating_sub(
            self.receipts
                .iter()
                .filter(|receipt| receipt.effect == "applied")
                .count(),
        )
    }
}

/// CPU seconds by process since `idle`; a process that was not there then has used all of its own since.
fn spent(idle: &BTreeMap<String, f64>, now: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    now.into_iter()
        .map(|(name, seconds)| {
            let before = idle.get(&name).copied().unwrap_or(0.0);
            (name, seconds - before)
        })
        .collect()
}

/// Lets every planned fault strike at its time.
async fn strike(
    settings: &StormSettings,
    arena: &mut Arena,
    book: &Book,
    watched: &mut Watched,
) -> anyhow::Result<Vec<Struck>> {
    let begun = Instant::now();
    let mut struck = Vec::new();
    for strike in plan::strikes(settings.seed, settings.length, settings.workers) {
        while begun.elapsed() < strike.at {
            let wait = (strike.at - begun.elapsed()).min(Duration::from_millis(500));
            tokio::time::sleep(wait).await;
            arena.mend()?;
        }
        watched.look()?;
        let in_flight = watched.owed(book);
        show(book, watched, strike.kind.name());
        struck.push(Struck {
            kind: strike.kind,
            at: load::wall_ns(),
            in_flight,
        });
        arena.strike(strike)?;
    }
    while begun.elapsed() < settings.length {
        tokio::time::sleep(Duration::from_millis(200)).await;
        arena.mend()?;
    }
    Ok(struck)
}

/// Waits until the receipts owe nothing and the group has no lag.
async fn settle(arena: &mut Arena, book: &Book, watched: &mut Watched) -> anyhow::Result<bool> {
    let within = if watched.released {
        SETTLE_WITHIN
    } else {
        POISON_SETTLES_WITHIN
    };
    let deadline = Instant::now() + within;
    loop {
        watched.look()?;
        let owed = watched.owed(book);
        if owed == 0 && arena.lag()? == 0 {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        arena.mend()?;
        show(book, watched, "settling");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn show(book: &Book, watched: &Watched, what: &str) {
    let receipts = watched.receipts.len();
    progress(&format!(
        "storm: {:>6} accepted, {receipts:>7} receipts, {:>6} owed · {what}",
        book.len(),
        watched.owed(book)
    ));
}

/// How many strikes of each kind hit work in flight.
pub(crate) fn hits(struck: &[Struck], kind: Kind) -> usize {
    struck
        .iter()
        .filter(|struck| struck.kind == kind && struck.in_flight > 0)
        .count()
}

/// A client for the gateway: short timeouts, since it is killed again and again.
pub(crate) fn http_client() -> anyhow::Result<reqwest::Client> {
    // A second call finds it installed, and that is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    Ok(reqwest::Client::builder()
        .timeout(Duration::from_secs(8))
        .connect_timeout(Duration::from_secs(1))
        .build()?)
}

/// Sends a request of the suite's own.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> reqwest::Result<reqwest::Response> {
    request.send().await
}
