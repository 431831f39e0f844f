//! A whole shop on one machine: real servers, `argosy up`, and signed webhooks that must end as supplier orders.

mod invitation;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    protocol::Protocol,
    servers::{Kafka, Postgres},
    storm::{
        arena::{self, Addresses},
        fleet::Process,
        http_client,
        receipts::{Receipt, Tail},
        send,
    },
    suite::{Folder, Interrupt, Verdict, progress},
    webhooks::{self, GeneratorSettings},
};

use self::invitation::Invitation;

/// What a shop is asked to be.
#[derive(Clone, Debug)]
pub struct ShopSettings {
    /// Where data and logs go.
    pub folder: Folder,
    /// Orders to post.
    pub orders: usize,
    /// Decides what they are.
    pub seed: u64,
    /// Stop when the orders are checked.
    pub once: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct ShopReport {
    /// Each is a sentence.
    pub violations: Vec<String>,
    orders: usize,
    receipts: usize,
    steps: BTreeMap<String, usize>,
}

impl Verdict for ShopReport {
    fn to_json(&self) -> Value {
        json!({
            "verdict": if self.violations.is_empty() { "holds" } else { "violated" },
            "violations": self.violations,
            "orders": self.orders,
            "receipts": self.receipts,
            "timeline_steps": self.steps,
        })
    }

    fn exit_code(&self) -> u8 {
        u8::from(!self.violations.is_empty())
    }
}

/// One webhook that was accepted.
struct Posted {
    order_id: String,
    skus: Vec<String>,
    correlation: String,
}

const SECRET: &str = "storm";
const START_WITHIN: Duration = Duration::from_secs(60);
const SETTLE_WITHIN: Duration = Duration::from_secs(60);
const END_WITHIN: Duration = Duration::from_secs(45);

/// Which supplier a SKU goes to, by the configuration that the suites write.
fn supplier_of(sku: &str) -> &'static str {
    if sku.starts_with("GLOBEX-") {
        "globex"
    } else {
        "acme"
    }
}

/// Starts everything, posts and checks, and stays up if asked to, until SIGINT or SIGTERM.
///
/// # Errors
///
/// If it cannot be started, the gateway refuses what it may not, `argosy up` ends by itself, or a signal comes before
/// the checks are done.
pub async fn run(settings: ShopSettings) -> anyhow::Result<ShopReport> {
    let mut interrupt = Interrupt::listen()?;
    let opened = async {
        let mut shop = Shop::start(&settings)?;
        let report = shop.open(&settings).await?;
        Ok((report, shop))
    };
    let (report, mut shop) = interrupt.unless(opened).await?;
    if !settings.once {
        let told = async {
            interrupt.told().await;
            Ok(())
        };
        shop.up.while_up(told).await?;
    }
    shop.up.terminate();
    shop.up.await_end(END_WITHIN)?;
    drop(shop);
    if report.violations.is_empty() {
        settings.folder.remove()?;
    }
    Ok(report)
}

/// What runs. Fields are dropped in this order, so the fleet ends before its servers.
struct Shop {
    up: Process,
    at: Addresses,
    binary: PathBuf,
    config: PathBuf,
    _kafka: Kafka,
    _postgres: Postgres,
}

impl Shop {
    fn start(settings: &ShopSettings) -> anyhow::Result<Self> {
        let folder = settings.folder.path();
        let logs = folder.join("logs");
        std::fs::create_dir_all(&logs)?;
        let binary = arena::build()?;
        progress(&format!(
            "shop: starting Kafka and PostgreSQL in {}",
            folder.display()
        ));
        let at = Addresses::of_this_process();
        let kafka = Kafka::start(&folder.join("kafka"), at.kafka)?;
        let postgres = Postgres::start(&folder.join("postgres"), at.postgres)?;
        let config = arena::write_config(
            folder,
            &at,
            &kafka.bootstrap(),
            &postgres.url(),
            Protocol::Classic,
            &["*"],
        )?;
        let config_name = config.to_string_lossy().into_owned();
        let probes = [("ARGOSY__PROBES__LISTEN", "127.0.0.1:0".to_string())];
        let arguments = ["--config", &config_name, "up"];
        let mut up = Process::new("up", &binary, &logs, &arguments, &probes);
        up.start()?;
        Ok(Self {
            up,
            at,
            binary,
            config,
            _kafka: kafka,
            _postgres: postgres,
        })
    }

    /// Waits until it serves; posts and checks what was asked for, and tells what can be tried.
    async fn open(&mut self, settings: &ShopSettings) -> anyhow::Result<ShopReport> {
        let Self {
            up,
            at,
            binary,
            config,
            ..
        } = self;
        let work = async {
            let gateway = format!("http://127.0.0.1:{}", at.gateway);
            arena::await_ready(&[format!("{gateway}/readyz")], START_WITHIN).await?;
            progress(&format!(
                "shop: gateway {gateway}, suppliers http://127.0.0.1:{}/suppliers/{{acme,globex}}",
                at.sandbox
            ));
            progress(&format!(
                "shop: configuration {}, logs {}",
                config.display(),
                settings.folder.path().join("logs").display()
            ));
            let mut report = ShopReport {
                violations: Vec::new(),
                orders: 0,
                receipts: 0,
                steps: BTreeMap::new(),
            };
            let mut posted = Vec::new();
            if settings.orders > 0 {
                posted = post_orders(settings, &gateway).await?;
                let receipts = settings.folder.path().join("receipts.jsonl");
                check_receipts(&posted, &receipts, &mut report).await?;
                check_timelines(&posted, binary, config, &mut report).await?;
            }
            if !settings.once {
                let ids: Vec<&str> = posted.iter().map(|order| &*order.correlation).collect();
                let invitation = Invitation {
                    gateway: &gateway,
                    folder: settings.folder.path(),
                    binary,
                    config,
                };
                invitation.tell(&ids)?;
            }
            Ok(report)
        };
        up.while_up(work).await
    }
}

/// Posts Shopify's documented example, where it is at hand, and generated payloads.
async fn post_orders(settings: &ShopSettings, gateway: &str) -> anyhow::Result<Vec<Posted>> {
    let client = http_client()?;
    let generator = GeneratorSettings {
        sku_prefixes: vec!["ACME-".into(), "GLOBEX-".into()],
        ..Default::default()
    };
    let mut posted = Vec::new();
    let mut bodies: Vec<Vec<u8>> = documented_example().into_iter().collect();
    let drawn = (0u64..).map(|n| {
        webhooks::payload(
            settings.seed.wrapping_mul(1_000_003).wrapping_add(n),
            &generator,
        )
        .body
    });
    bodies.extend(drawn.take(settings.orders));
    for (number, body) in bodies.into_iter().take(settings.orders).enumerate() {
        let order: Value = serde_json::from_slice(&body)?;
        let request = client
            .post(format!("{gateway}/webhooks/shopify"))
            .header("content-type", "application/json")
            .header("X-Shopify-Topic", "orders/create")
            .header("X-Shopify-Hmac-Sha256", webhooks::signature(SECRET, &body))
            .header("X-Shopify-Shop-Domain", "lantern.myshopify.com")
            .header("X-Shopify-API-Version", "2026-04")
            .header(
                "X-Shopify-Webhook-Id",
                format!("{}-{number}", settings.seed),
            )
            .body(body);
        let answer = send(request).await?;
        let status = answer.status();
        let said: Value = answer.json().await.unwrap_or_default();
        anyhow::ensure!(
            status.as_u16() == 202,
            "the gateway answered {status}: {said}"
        );
        let correlation = said["correlation_id"]
            .as_str()
            .context("the answer has no correlation_id")?
            .to_string();
        let skus = order["line_items"]
            .as_array()
            .context("no line_items")?
            .iter();
        let skus = skus
            .map(|line| line["sku"].as_str().unwrap_or_default().to_string())
            .collect();
        posted.push(Posted {
            order_id: order["id"].to_string(),
            skus,
            correlation,
        });
    }
    progress(&format!("shop: {} webhooks accepted", posted.len()));
    Ok(posted)
}

/// Each order has exactly one applied draft and one applied confirmation at each of its suppliers, and no other.
async fn check_receipts(
    posted: &[Posted],
    receipts: &Path,
    report: &mut ShopReport,
) -> anyhow::Result<()> {
    let mut wanted = BTreeSet::new();
    for order in posted {
        for sku in &order.skus {
            for operation in crate::storm::judge::OPERATIONS {
                wanted.insert((
                    order.order_id.clone(),
                    supplier_of(sku).to_string(),
                    operation.to_string(),
                ));
            }
        }
    }
    let mut tail = Tail::new(receipts);
    let mut found: BTreeMap<_, usize> = BTreeMap::new();
    let deadline = Instant::now() + SETTLE_WITHIN;
    while found.len() < wanted.len() && Instant::now() < deadline {
        for Receipt {
            aggregate_key,
            vendor,
            operation,
            effect,
            ..
        } in tail.more()?
        {
            report.receipts += 1;
            *found.entry((aggregate_key, vendor, operation)).or_default() +=
                usize::from(effect == "applied");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    report.orders = posted.len();
    for place in &wanted {
        let times = found.remove(place).unwrap_or(0);
        if times != 1 {
            report.violations.push(format!(
                "order {}: {} at {} applied {times} times",
                place.0, place.2, place.1
            ));
        }
    }
    for (key, vendor, operation) in found.into_keys() {
        report.violations.push(format!(
            "order {key}: nobody asked for {operation} at {vendor}"
        ));
    }
    Ok(())
}

/// `argosy timeline` shows every hop, run, call and outcome of each order.
async fn check_timelines(
    posted: &[Posted],
    binary: &Path,
    config: &Path,
    report: &mut ShopReport,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + SETTLE_WITHIN;
    for order in posted {
        let suppliers: BTreeSet<_> = order.skus.iter().map(|sku| supplier_of(sku)).collect();
        let missing = loop {
            let steps = timeline(binary, config, &order.correlation)?;
            let missing = missing_steps(&steps, suppliers.len());
            if missing.is_empty() || Instant::now() > deadline {
                for (kind, times) in steps {
                    *report.steps.entry(kind).or_default() += times;
                }
                break missing;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        if !missing.is_empty() {
            report.violations.push(format!(
                "timeline of order {} lacks {}",
                order.order_id,
                missing.join(", ")
            ));
        }
    }
    Ok(())
}

/// How often each kind of step stands in a timeline, as the command prints it.
fn timeline(
    binary: &Path,
    config: &Path,
    correlation: &str,
) -> anyhow::Result<BTreeMap<String, usize>> {
    let output = Command::new(binary)
        .arg("--config")
        .arg(config)
        .args(["timeline", correlation, "--json"])
        .output()?;
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let mut kinds = BTreeMap::new();
    for entry in told["entries"].as_array().into_iter().flatten() {
        for step in entry["steps"].as_array().into_iter().flatten() {
            for kind in [
                "accepted", "received", "waited", "run", "call", "emitted", "settled",
            ] {
                if step.get(kind).is_some() {
                    *kinds.entry(kind.to_string()).or_default() += 1;
                }
            }
        }
    }
    Ok(kinds)
}

fn missing_steps(found: &BTreeMap<String, usize>, suppliers: usize) -> Vec<String> {
    let wanted = [
        ("accepted", 1),
        ("received", 1),
        ("run", 1),
        ("call", 2 * suppliers),
        ("emitted", suppliers),
        ("settled", 1),
    ];
    let lacks = |(kind, times): &(&str, usize)| found.get(*kind).copied().unwrap_or(0) < *times;
    wanted
        .into_iter()
        .filter(lacks)
        .map(|(kind, times)| format!("{kind} ({times})"))
        .collect()
}

/// Shopify's own example, from a folder of vendors' contracts, if there is one.
fn documented_example() -> Option<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let folder = std::env::var_os("ARGOSY_VENDOR_CONTRACTS")
        .map_or_else(|| root.join("../shared/vendors"), PathBuf::from);
    std::fs::read(folder.join("shopify/examples/orders.create.json")).ok()
}
