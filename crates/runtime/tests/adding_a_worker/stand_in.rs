//! The office on a port of this machine: it answers as a test says, and counts what it is asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

pub(crate) struct StandIn {
    pub(crate) base_url: String,
    asked: Arc<AtomicUsize>,
}

impl StandIn {
    /// Answers every request so, until the test's process ends.
    pub(crate) fn start(status: u16, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                // What a client that went away makes of its answer is no concern of a test.
                drop(answer(&stream.unwrap(), status, body));
            }
        });
        Self { base_url, asked }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A longer wait than a run's, so that a refusal is asked once.
const RETRY_AFTER: &str = "retry-after: 30";

fn answer(mut stream: &TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    let told = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} told\r\n{RETRY_AFTER}\r\ncontent-length: {told}\r\nconnection: close\r\n\r\n{body}"
    )
}
