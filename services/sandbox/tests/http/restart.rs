//! A supplier does not forget when it restarts, and starts only on what it can trust.

use std::io::Write;

use argosy_sandbox::{Sandbox, SandboxError};
use serde_json::json;

use crate::client::{Ask, Running, settings};

#[tokio::test]
async fn orders_keys_and_numbers_outlive_a_restart() {
    let sandbox = Running::start().await;
    let natural = sandbox.ask(Ask::draft("natural", "r-1")).await;
    sandbox
        .ask(Ask::confirm("natural", &natural.order_id()))
        .await;
    let remembered = sandbox
        .ask(Ask::draft("remembered", "r-1").key("k-1"))
        .await;
    let confirmed = sandbox
        .ask(Ask::confirm("remembered", &remembered.order_id()).key("k-2"))
        .await;
    sandbox.ask(Ask::draft("never", "r-1")).await;

    let sandbox = Running::start_in(sandbox.stop().await).await;
    let again = sandbox.ask(Ask::draft("natural", "r-1")).await;
    assert_eq!(again.json()["existing_order_id"], *natural.order_id());
    let show = Ask::get(format!(
        "/suppliers/natural/v1/orders/{}",
        natural.order_id()
    ));
    assert_eq!(sandbox.ask(show).await.json()["status"], "accepted");
    let again = sandbox
        .ask(Ask::draft("remembered", "r-1").key("k-1"))
        .await;
    assert_eq!((again.status, again.json()), (200, remembered.json()));
    let again = sandbox
        .ask(Ask::confirm("remembered", &remembered.order_id()).key("k-2"))
        .await;
    assert_eq!((again.status, again.json()), (200, confirmed.json()));
    let mismatch = sandbox
        .ask(Ask::draft("remembered", "r-2").key("k-1"))
        .await;
    assert_eq!(mismatch.code(), "idempotency_mismatch");
    let next = sandbox.ask(Ask::draft("never", "r-1")).await;
    assert_eq!(next.order_id(), "never-2");
}

#[tokio::test]
async fn a_torn_last_line_was_never_answered_and_is_forgotten() {
    let sandbox = Running::start().await;
    sandbox.ask(Ask::draft("natural", "r-1")).await;
    sandbox.ask(Ask::draft("natural", "r-2")).await;
    let path = sandbox.receipts_file();
    let folder = sandbox.stop().await;
    let length = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(length - 10).unwrap();

    let sandbox = Running::start_in(folder).await;
    assert_eq!(sandbox.receipts().len(), 1);
    assert_eq!(
        sandbox.ask(Ask::draft("natural", "r-1")).await.code(),
        "duplicate_order"
    );
    let again = sandbox.ask(Ask::draft("natural", "r-2")).await;
    assert_eq!((again.status, again.order_id()), (201, "natural-2".into()));
    assert_eq!(sandbox.receipts().len(), 3);
}

#[tokio::test]
async fn a_file_that_is_not_receipts_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("receipts.jsonl");
    let mut file = std::fs::File::create(&path).unwrap();
    writeln!(file, "{}", json!({"vendor": "natural"})).unwrap();
    let refused = Sandbox::bind(settings(folder.path())).await.unwrap_err();
    assert!(
        matches!(refused, SandboxError::ReceiptsCorrupt { line: 1, .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn two_sandboxes_do_not_share_a_file() {
    let sandbox = Running::start().await;
    let second = Sandbox::bind(settings(sandbox.folder.path()))
        .await
        .unwrap_err();
    assert!(
        matches!(second, SandboxError::ReceiptsInUse { .. }),
        "{second}"
    );
}

#[tokio::test]
async fn a_start_that_cannot_work_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut nowhere = settings(folder.path());
    nowhere.receipts = folder.path().join("no/such/folder/receipts.jsonl");
    let refused = Sandbox::bind(nowhere).await.unwrap_err();
    assert!(refused.to_string().contains("no/such/folder"), "{refused}");

    let mut faulty = settings(folder.path());
    let faults = folder.path().join("faults.json");
    faulty.faults = Some(faults.clone());
    let refused = Sandbox::bind(faulty.clone()).await.unwrap_err();
    assert!(
        matches!(refused, SandboxError::FaultFile { .. }),
        "{refused}"
    );
    for wrong in ["", "[", "{}", r#"[{"effect": {"status": 1}}]"#] {
        std::fs::write(&faults, wrong).unwrap();
        let refused = Sandbox::bind(faulty.clone()).await.unwrap_err();
        assert!(
            matches!(refused, SandboxError::FaultScript { .. }),
            "{refused}"
        );
    }

    let sandbox = Running::start().await;
    let mut taken = settings(folder.path());
    taken.listen = sandbox.address;
    let refused = Sandbox::bind(taken).await.unwrap_err();
    assert!(matches!(refused, SandboxError::Listen { .. }), "{refused}");
}

#[tokio::test]
async fn a_stop_cuts_calls_that_wait_and_ends_soon() {
    let sandbox = Running::start().await;
    sandbox
        .faults(json!([{"effect": {"latency_ms": 600_000}}]))
        .await;
    let address = sandbox.address;
    let waiting = async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream
            .write_all(&Ask::draft("natural", "r-1").bytes())
            .await
            .unwrap();
        let mut came = Vec::new();
        drop(stream.read_to_end(&mut came).await);
        came
    };
    let stopping = async {
        loop {
            let shown = sandbox.ask(Ask::get("/__control/faults")).await;
            if shown.json()[0]["struck"] == 1 {
                break;
            }
        }
        sandbox.stop().await
    };
    let both = async { tokio::join!(waiting, stopping) };
    let (came, folder) = tokio::time::timeout(std::time::Duration::from_secs(10), both)
        .await
        .unwrap();
    assert!(came.is_empty());
    assert_eq!(
        std::fs::read(folder.path().join("receipts.jsonl")).unwrap(),
        b""
    );
}
