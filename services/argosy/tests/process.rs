//! Processes that stay, without any server: they start, answer probes, drain at the first signal, end at the second.
#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "real processes are awaited in real time, each wait with a deadline"
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

/// Nobody listens on port 1.
const AWAY: [(&str, &str); 4] = [
    ("ARGOSY__BROKER__BOOTSTRAP", "127.0.0.1:1"),
    ("ARGOSY__STORE__URL", "postgres://argosy@127.0.0.1:1/argosy"),
    ("ARGOSY__GATEWAY__LISTEN", "127.0.0.1:0"),
    ("ARGOSY__PROBES__LISTEN", "127.0.0.1:0"),
];
const DEADLINE: Duration = Duration::from_secs(60);

struct Process {
    child: Child,
    talk: Receiver<String>,
    heard: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Process {
    fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_argosy"))
            .args(arguments)
            .env_clear()
            .envs(AWAY)
            .envs(variables.iter().copied())
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, talk) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .try_for_each(|line| tell.send(line))
        });
        Self {
            child,
            talk,
            heard: Vec::new(),
            _folder: folder,
        }
    }

    /// The first line that says this, from what was not heard yet.
    fn await_line(&mut self, said: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.talk.recv_timeout(left) else {
                panic!("nobody said {said:?}: {:#?}", self.heard);
            };
            self.heard.push(line.clone());
            if line.contains(said) {
                return line;
            }
        }
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(status.success());
    }

    fn await_end(&mut self) -> Option<i32> {
        // The talk ends with the process.
        let deadline = Instant::now() + DEADLINE;
        while let Ok(line) = self
            .talk
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.heard.push(line);
        }
        assert!(Instant::now() < deadline, "it goes on: {:#?}", self.heard);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn address(line: &str) -> String {
    let (_, rest) = line.split_once("http://").unwrap();
    rest.split([',', ' ']).next().unwrap().to_owned()
}

const SANDBOX: [(&str, &str); 3] = [
    ("ARGOSY__SANDBOX__LISTEN", "127.0.0.1:0"),
    ("ARGOSY__SANDBOX__SUPPLIERS__ACME__REPEAT", "natural"),
    ("ARGOSY__SANDBOX__SUPPLIERS__ACME__TOKEN", "acme-token"),
];

#[test]
fn the_sandbox_says_where_it_listens_and_drains_at_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let mut sandbox = Process::start(&["sandbox"], &SANDBOX);
        let at = address(&sandbox.await_line("sandbox listens on"));
        assert!(get(&at, "/__control/health").starts_with("HTTP/1.1 200"));
        sandbox.signal(signal);
        assert_eq!(sandbox.await_end(), Some(0), "{:#?}", sandbox.heard);
    }
}

#[test]
fn a_gateway_without_broker_is_alive_and_not_ready_and_a_second_signal_ends_it() {
    let mut gateway = Process::start(&["gateway"], &[]);
    let at = address(&gateway.await_line("gateway listens on"));
    assert!(get(&at, "/livez").starts_with("HTTP/1.1 200"));
    let ready = get(&at, "/readyz?verbose");
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(get(&at, "/metrics").starts_with("HTTP/1.1 200"));
    gateway.signal("-TERM");
    gateway.await_line("signal received");
    gateway.signal("-TERM");
    assert_eq!(gateway.await_end(), Some(130), "{:#?}", gateway.heard);
}

#[test]
fn a_worker_without_broker_and_store_stays_alive_and_says_what_it_waits_for_and_in_the_log_why() {
    let mut worker = Process::start(&["worker", "chronicle"], &[]);
    let at = address(&worker.await_line("probes listen on"));
    assert!(get(&at, "/livez?verbose").contains("[+]canary ok"));
    assert!(get(&at, "/startupz").starts_with("HTTP/1.1 503"));
    worker.await_line("does not answer as it should");
    let ready = get(&at, "/readyz?verbose");
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    assert!(ready.contains("see the log"), "{ready}");
    for inside in ["127.0.0.1", "refused", "os error", "argosy@"] {
        assert!(!ready.contains(inside), "{inside}: {ready}");
    }
    worker.signal("-TERM");
    assert_eq!(worker.await_end(), Some(0), "{:#?}", worker.heard);
}

#[test]
fn an_address_in_use_is_named_once_with_its_key_and_is_the_configurations_fault() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    for (command, key) in [
        (&["gateway"][..], "gateway.listen"),
        (&["worker", "chronicle"], "probes.listen"),
        (&["sandbox"], "sandbox.listen"),
    ] {
        let variables = [
            ("ARGOSY__GATEWAY__LISTEN", &*at),
            ("ARGOSY__PROBES__LISTEN", &*at),
            ("ARGOSY__SANDBOX__LISTEN", &*at),
            SANDBOX[1],
            SANDBOX[2],
        ];
        let mut process = Process::start(command, &variables);
        assert_eq!(process.await_end(), Some(78), "{:#?}", process.heard);
        let last = process.heard.last().unwrap();
        let (what, _) = key.split_once('.').unwrap();
        assert!(
            last.contains(&format!("cannot listen on {at} for the {what}")),
            "{last}"
        );
        let remedy = format!("set another address with {key}");
        assert!(last.contains(&remedy), "{last}");
        assert_eq!(last.matches("in use").count(), 1, "{last}");
    }
}

#[test]
fn every_log_line_is_one_json_object_that_names_its_process() {
    let mut worker = Process::start(&["worker", "chronicle"], &[]);
    worker.await_line("probes listen on");
    worker.signal("-TERM");
    worker.await_end();
    let lines: Vec<_> = worker
        .heard
        .iter()
        .filter(|line| line.starts_with('{'))
        .collect();
    assert!(!lines.is_empty());
    for line in lines {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["process"], "worker chronicle", "{line}");
    }
}
