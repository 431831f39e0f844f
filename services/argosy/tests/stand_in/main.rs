//! The command line against a stand-in of the gateway, which answers what a test says.
#![cfg(test)]

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::Command,
};

mod dead_letters;
mod effects;
mod timeline;

/// Answers each request, whose address it is given, until the test's process ends; returns its base URL.
fn stand_in(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that goes away early is no concern of a test.
            drop(serve(&stream.unwrap(), &answer));
        }
    });
    base
}

fn serve(mut stream: &TcpStream, answer: &impl Fn(&str) -> (u16, String)) -> std::io::Result<()> {
    let mut head = BufReader::new(stream).lines();
    let first = head.next().transpose()?.unwrap_or_default();
    while head
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let (status, body) = answer(first.split(' ').nth(1).unwrap_or_default());
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} told\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

/// The binary, which knows of this gateway and of no configuration.
fn argosy(arguments: &[&str], base: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_argosy"));
    command
        .args(arguments)
        .args(["--gateway", base])
        .env_clear()
        .current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
