//! The ledger: one thread that owns the suppliers' state and the receipts file.
//!
//! It takes whatever calls wait, applies them, writes their receipts in one go, syncs once, and only then answers.
//! So no answer is ever ahead of the disk, and an order is never seen before it is durable.

mod memory;
mod state;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    SandboxError, Settings, clock,
    draft_order::DraftOrder,
    order::OrderView,
    receipt::{Effect, Operation, Receipt},
    receipt_file::ReceiptFile,
};
pub use memory::KEYS_KEPT_MAX;
pub use state::ORDERS_KEPT_MAX;
use state::{Accepted, Supplier};

/// Calls that may wait for the ledger.
const WAITING_MAX: usize = 4_096;
/// Calls that share one write and one sync.
const BATCH_MAX: usize = 1_024;

/// What a call asks of a supplier.
#[derive(Debug)]
pub(crate) enum Ask {
    Draft(DraftOrder),
    Confirm { order_id: Arc<str> },
}

/// A call that changes something, as the ledger needs it.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) vendor: Arc<str>,
    pub(crate) ask: Ask,
    pub(crate) idempotency_key: Option<Arc<str>>,
    /// What "the same request" means.
    pub(crate) fingerprint: Arc<str>,
    pub(crate) received_at: i64,
    /// How long the answer's body is going to take.
    pub(crate) slow_body: Duration,
}

/// What the supplier answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A new order.
    Drafted(OrderView),
    /// Confirmed.
    Confirmed(OrderView),
    /// The same answer as the first time.
    Repeated(OrderView),
    /// `external_order_id` is known.
    Duplicate { existing_order_id: Arc<str> },
    /// The key is known, with another request.
    Mismatch,
    /// This supplier wants a key.
    KeyRequired,
    /// No such order.
    NotFound,
}

/// What is looked for.
#[derive(Clone, Debug)]
pub(crate) enum Find {
    Id(Arc<str>),
    Reference(Arc<str>),
}

/// What was found: orders, and the aggregate key of the first, for fault rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) orders: Vec<OrderView>,
    pub(crate) aggregate_key: Option<Arc<str>>,
}

enum Command {
    Change(Change, oneshot::Sender<Answer>),
    Find(Arc<str>, Find, oneshot::Sender<Found>),
}

/// The ledger is gone: its file could not be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LedgerGone;

/// How endpoints reach the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    commands: mpsc::Sender<Command>,
    synced_bytes: Arc<AtomicU64>,
}

/// The ledger's thread, to be awaited.
pub(crate) type LedgerThread = thread::JoinHandle<Result<(), SandboxError>>;

impl Ledger {
    /// Rebuilds the state from the receipts and starts the thread, which ends when the last handle is dropped.
    /// Should the file fail, `failed` is cancelled and the thread's result says why.
    pub(crate) fn start(
        settings: &Settings,
        failed: CancellationToken,
    ) -> Result<(Self, LedgerThread), SandboxError> {
        let mut suppliers: BTreeMap<Arc<str>, Supplier> = settings
            .suppliers
            .iter()
            .map(|(name, supplier)| {
                let name: Arc<str> = Arc::from(name.as_str());
                (Arc::clone(&name), Supplier::new(name, supplier.repeat))
            })
            .collect();
        let file = ReceiptFile::open(&settings.receipts, |receipt| {
            if let Some(supplier) = suppliers.get_mut(&receipt.vendor) {
                supplier.replay(receipt);
            }
        })?;
        let synced_bytes = Arc::new(AtomicU64::new(file.length_bytes()));
        let (commands, waiting) = mpsc::channel(WAITING_MAX);
        let mut owner = Owner {
            suppliers,
            file,
            synced_bytes: Arc::clone(&synced_bytes),
            lines: Vec::new(),
        };
        let run = move || {
            let ended = owner.run(waiting);
            if ended.is_err() {
                failed.cancel();
            }
            ended
        };
        let named = thread::Builder::new().name("sandbox-ledger".into());
        let thread = named.spawn(run).map_err(|_| SandboxError::Ledger)?;
        let ledger = Self {
            commands,
            synced_bytes,
        };
        Ok((ledger, thread))
    }

    /// Applies a call; the answer comes when its receipt is on disk.
    pub(crate) async fn change(&self, change: Change) -> Result<Answer, LedgerGone> {
        let (answer, answered) = oneshot::channel();
        let command = Command::Change(change, answer);
        self.commands.send(command).await.map_err(|_| LedgerGone)?;
        answered.await.map_err(|_| LedgerGone)
    }

    /// Looks for orders.
    pub(crate) async fn find(&self, vendor: Arc<str>, find: Find) -> Result<Found, LedgerGone> {
        let (answer, answered) = oneshot::channel();
        let command = Command::Find(vendor, find, answer);
        self.commands.send(command).await.map_err(|_| LedgerGone)?;
        answered.await.map_err(|_| LedgerGone)
    }

    /// Bytes of the receipts file that are whole and synced.
    pub(crate) fn synced_bytes(&self) -> u64 {
        self.synced_bytes.load(Ordering::Acquire)
    }
}

struct Owner {
    suppliers: BTreeMap<Arc<str>, Supplier>,
    file: ReceiptFile,
    synced_bytes: Arc<AtomicU64>,
    lines: Vec<u8>,
}

impl Owner {
    fn run(&mut self, mut waiting: mpsc::Receiver<Command>) -> Result<(), SandboxError> {
        let mut answers: Vec<Pending> = Vec::new();
        while let Some(first) = waiting.blocking_recv() {
            answers.push(self.apply(first));
            while answers.len() < BATCH_MAX
                && let Ok(next) = waiting.try_recv()
            {
                answers.push(self.apply(next));
            }
            if !self.lines.is_empty() {
                self.file.append(&self.lines)?;
                self.lines.clear();
                let synced = self.file.length_bytes();
                self.synced_bytes.store(synced, Ordering::Release);
            }
            answers.drain(..).for_each(Pending::send);
        }
        Ok(())
    }

    fn apply(&mut self, command: Command) -> Pending {
        match command {
            Command::Change(change, to) => Pending::Answer(self.change(&change), to),
            Command::Find(vendor, find, to) => {
                let supplier = self.suppliers.get(&vendor);
                let found = supplier.map(|supplier| supplier.find(&find));
                Pending::Found(found.unwrap_or_default(), to)
            }
        }
    }

    fn change(&mut self, change: &Change) -> Answer {
        let Some(supplier) = self.suppliers.get_mut(&change.vendor) else {
            return Answer::NotFound;
        };
        let now = clock::now_ns();
        let (answer, accepted) = match &change.ask {
            Ask::Draft(draft) => supplier.draft(draft, change, now),
            Ask::Confirm { order_id } => supplier.confirm(order_id, change, now),
        };
        if let Some(accepted) = accepted {
            let receipt = receipt(change, accepted, now);
            serde_json::to_writer(&mut self.lines, &receipt)
                .expect("strings and numbers always serialize into memory");
            self.lines.push(b'\n');
        }
        answer
    }
}

fn receipt(change: &Change, accepted: Accepted, now: i64) -> Receipt {
    let slow = i64::try_from(change.slow_body.as_nanos()).unwrap_or(i64::MAX);
    let operation = match change.ask {
        Ask::Draft(_) => Operation::Draft,
        Ask::Confirm { .. } => Operation::Confirm,
    };
    Receipt {
        received_at: change.received_at,
        applied_at: now,
        answered_at: now.saturating_add(slow),
        vendor: Arc::clone(&change.vendor),
        operation,
        idempotency_key: change.idempotency_key.clone(),
        our_reference: accepted.our_reference,
        order_id: accepted.order_id,
        aggregate_key: accepted.aggregate_key,
        sequence: accepted.sequence,
        effect: if accepted.repeat {
            Effect::Repeat
        } else {
            Effect::Applied
        },
        fingerprint: Arc::clone(&change.fingerprint),
    }
}

/// An answer that waits for the sync. A caller that no longer listens is no fault.
enum Pending {
    Answer(Answer, oneshot::Sender<Answer>),
    Found(Found, oneshot::Sender<Found>),
}

impl Pending {
    fn send(self) {
        match self {
            Self::Answer(answer, to) => drop(to.send(answer)),
            Self::Found(found, to) => drop(to.send(found)),
        }
    }
}
