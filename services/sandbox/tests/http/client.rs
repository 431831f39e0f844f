//! A sandbox to test and a caller that shows what really came over the wire, also when it was nothing.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use argosy_sandbox::{Receipt, Sandbox, SandboxError, Settings, SupplierSettings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) const TOKEN: &str = "token-of-the-tests";
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// A running sandbox with one supplier per repeat class.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    stop: CancellationToken,
    served: JoinHandle<Result<(), SandboxError>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn code(&self) -> String {
        let content_type = &self.headers["content-type"];
        assert_eq!(content_type, "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        problem["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn order_id(&self) -> String {
        self.json()["order_id"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn settings(folder: &Path) -> Settings {
    let classes = [
        ("natural", "natural"),
        ("remembered", "remembered"),
        ("never", "never"),
        ("blind", "never-without-lookup"),
    ];
    let suppliers = classes.map(|(name, class)| {
        let settings = SupplierSettings {
            repeat: class.parse().unwrap(),
            token: TOKEN.into(),
        };
        (name.to_owned(), settings)
    });
    Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        receipts: folder.join("receipts.jsonl"),
        faults: None,
        suppliers: suppliers.into(),
    }
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    pub(crate) async fn start_in(folder: TempDir) -> Self {
        let settings = settings(folder.path());
        Self::start_with(folder, settings).await
    }

    pub(crate) async fn start_with(folder: TempDir, settings: Settings) -> Self {
        let sandbox = Sandbox::bind(settings).await.unwrap();
        let address = sandbox.address();
        let stop = CancellationToken::new();
        let served = TaskTracker::new().spawn(sandbox.run(stop.clone()));
        Self {
            address,
            folder,
            stop,
            served,
        }
    }

    /// Stops it and gives the folder back, for another start.
    pub(crate) async fn stop(self) -> TempDir {
        self.stop.cancel();
        self.served.await.unwrap().unwrap();
        self.folder
    }

    pub(crate) fn receipts_file(&self) -> PathBuf {
        self.folder.path().join("receipts.jsonl")
    }

    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        let file = std::fs::read_to_string(self.receipts_file()).unwrap();
        file.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// A request in the making; as the contract wants it unless changed.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Ask {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET",
            path: path.into(),
            headers: vec![("Authorization", format!("Bearer {TOKEN}"))],
            body: Vec::new(),
        }
    }

    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self {
            method: "POST",
            body: serde_json::to_vec(body).unwrap(),
            ..Self::get(path)
        }
        .header("Content-Type", "application/json")
    }

    /// A draft at this supplier.
    pub(crate) fn draft(supplier: &str, reference: &str) -> Self {
        let body = json!({
            "external_order_id": reference,
            "items": [{"line_ref": "1", "supplier_sku": "ACME-1", "quantity": 1}],
            "metadata": {"order": "1001", "sequence": 7},
        });
        Self::post(format!("/suppliers/{supplier}/v1/orders"), &body)
    }

    /// A confirmation of an order at this supplier.
    pub(crate) fn confirm(supplier: &str, order_id: &str) -> Self {
        let path = format!("/suppliers/{supplier}/v1/orders/{order_id}/confirm");
        Self::post(path, &json!({}))
    }

    pub(crate) fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(kept, _)| *kept != name);
        self
    }

    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { body, ..self }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: sandbox\r\n",
            self.method, self.path
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = self.body.len();
        head.push_str(&format!(
            "Content-Length: {length}\r\nConnection: close\r\n\r\n"
        ));
        [head.as_bytes(), &self.body].concat()
    }
}

impl Running {
    /// Sends and expects an answer.
    pub(crate) async fn ask(&self, ask: Ask) -> Answer {
        let answer = self.raw(&ask.bytes()).await;
        answer.expect("the sandbox answers")
    }

    /// Sends and expects the connection to close before the first byte of an answer.
    pub(crate) async fn expect_cut(&self, ask: Ask) {
        let answer = self.raw(&ask.bytes()).await;
        assert!(answer.is_none(), "{answer:?}");
    }

    /// Sets the fault script.
    pub(crate) async fn faults(&self, script: Value) {
        let ask = Ask::post("/__control/faults", &script).method("PUT");
        let answer = self.ask(ask).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Sends bytes and reads until the connection closes; `None` if nothing came.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> Option<Answer> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A refusal may close the connection before everything was sent.
        drop(stream.write_all(bytes).await);
        let read = tokio::time::timeout(ANSWER_TIME_MAX, read_all(&mut stream)).await;
        let came = read.expect("the sandbox closes the connection");
        (!came.is_empty()).then(|| parse(&came))
    }
}

async fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut came = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return came,
            Ok(read) => came.extend_from_slice(&piece[..read]),
        }
    }
}

fn parse(came: &[u8]) -> Answer {
    let end = came
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = std::str::from_utf8(&came[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers: BTreeMap<String, String> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let rest = &came[end + 4..];
    let is_chunked = headers
        .get("transfer-encoding")
        .is_some_and(|coding| coding == "chunked");
    Answer {
        status: status.parse().unwrap(),
        body: if is_chunked {
            joined(rest)
        } else {
            rest.to_vec()
        },
        headers,
    }
}

fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let length = std::str::from_utf8(&rest[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return body;
        }
        rest = &rest[end + 2..];
        body.extend_from_slice(&rest[..length]);
        rest = &rest[length + 2..];
    }
}
