//! A vendor that does what its script says, byte by byte, and keeps what it received.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_util::task::TaskTracker;

/// What the vendor does with one request. The last one is repeated.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers with these bytes.
    Answer(String),
    /// Closes the connection without reading.
    CutBefore,
    /// Reads the request, and closes the connection without a byte.
    CutAfter,
    /// Reads the request, and answers when [`Vendor::let_go`] is called.
    Wait(String),
    /// Answers with a head, and then one byte every 100 ms without end.
    Trickle,
}

#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

#[derive(Clone)]
pub(crate) struct Vendor {
    pub(crate) url: String,
    script: Arc<Mutex<Vec<Act>>>,
    received: Arc<Mutex<Vec<Received>>>,
    changed: Arc<Notify>,
    go: Arc<Notify>,
}

/// An answer with this status, these further head lines, and this body.
pub(crate) fn answer(status: u16, head: &str, body: &str) -> Act {
    Act::Answer(text(status, head, body))
}

pub(crate) fn text(status: u16, head: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{head}\r\n{body}",
        body.len()
    )
}

/// 201 with an id.
pub(crate) fn placed(id: &str) -> Act {
    answer(201, "", &format!(r#"{{"id":"{id}"}}"#))
}

impl Vendor {
    pub(crate) async fn start(script: impl Into<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut script: Vec<Act> = script.into();
        script.reverse();
        let vendor = Self {
            url: format!("http://{}/base", listener.local_addr().unwrap()),
            script: Arc::new(Mutex::new(script)),
            received: Arc::default(),
            changed: Arc::default(),
            go: Arc::default(),
        };
        let serving = vendor.clone();
        let tracker = TaskTracker::new();
        let connections = tracker.clone();
        tracker.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let vendor = serving.clone();
                connections.spawn(async move { vendor.serve(stream).await });
            }
        });
        vendor
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn let_go(&self) {
        self.go.notify_waiters();
    }

    /// Waits until so many requests were received.
    pub(crate) async fn until_received(&self, count: usize) {
        let enough = async {
            loop {
                let changed = self.changed.notified();
                if self.received().len() >= count {
                    return;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), enough).await;
        waited.unwrap_or_else(|_| {
            panic!("{count} requests were awaited, {:?} came", self.received())
        });
    }

    fn next_act(&self) -> Act {
        let mut script = self.script.lock().unwrap();
        let last = script.len() == 1;
        if last {
            script[0].clone()
        } else {
            script.pop().unwrap()
        }
    }

    /// One request per connection: every answer says so, or is cut.
    async fn serve(&self, mut stream: TcpStream) {
        let act = self.next_act();
        if matches!(act, Act::CutBefore) {
            return;
        }
        let Some(received) = read(&mut stream).await else {
            return;
        };
        let go = self.go.notified();
        tokio::pin!(go);
        go.as_mut().enable();
        self.received.lock().unwrap().push(received);
        self.changed.notify_waiters();
        let answered = match act {
            Act::CutBefore | Act::CutAfter => return,
            Act::Answer(answer) => stream.write_all(closing(&answer).as_bytes()).await,
            Act::Wait(answer) => {
                go.await;
                stream.write_all(closing(&answer).as_bytes()).await
            }
            Act::Trickle => trickle(&mut stream).await,
        };
        // The client may be gone by now, which is what some tests are about.
        drop(answered);
        drop(stream.shutdown().await);
    }
}

fn closing(answer: &str) -> String {
    answer.replacen("\r\n", "\r\nconnection: close\r\n", 1)
}

async fn trickle(stream: &mut TcpStream) -> std::io::Result<()> {
    stream
        .write_all(b"HTTP/1.1 201 x\r\ncontent-length: 1000000\r\n\r\n")
        .await?;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        stream.write_all(b"x").await?;
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let received = Received {
                head: head.to_owned(),
                body: body.to_owned(),
            };
            let length = received
                .header("content-length")
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(received);
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
}
