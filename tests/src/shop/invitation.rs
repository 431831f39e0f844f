//! What can be tried with a shop that is up, as commands to paste: a signed webhook, and the timelines of its orders.

use std::path::Path;

use crate::{
    suite::progress,
    webhooks::{self, GeneratorSettings},
};

use super::SECRET;

/// No seed of posted orders is this one.
const EXAMPLE_SEED: u64 = u64::MAX;

/// Ids that are shown; all of them are in a file.
const IDS_SHOWN_MAX: usize = 5;

/// Where the shop is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Invitation<'a> {
    pub(super) gateway: &'a str,
    pub(super) folder: &'a Path,
    pub(super) binary: &'a Path,
    pub(super) config: &'a Path,
}

impl Invitation<'_> {
    /// Writes the example and the ids to files and prints the commands.
    pub(super) fn tell(self, correlations: &[&str]) -> anyhow::Result<()> {
        let example = self.folder.join("order.json");
        let body = webhooks::payload(EXAMPLE_SEED, &GeneratorSettings::default()).body;
        std::fs::write(&example, body)?;
        progress("\nshop: a signed webhook to try; the answer holds its correlation id:\n");
        progress(&curl(self.gateway, &example));
        if !correlations.is_empty() {
            let all = self.folder.join("correlation-ids.txt");
            std::fs::write(&all, correlations.join("\n") + "\n")?;
            progress(&format!(
                "\nshop: correlation ids of the {} orders that were posted, all in {}:\n",
                correlations.len(),
                all.display()
            ));
            for id in correlations.iter().take(IDS_SHOWN_MAX) {
                progress(&format!("  {id}"));
            }
        }
        let id = correlations.first().unwrap_or(&"CORRELATION_ID");
        progress("\nshop: what became of one:\n");
        progress(&self.timeline(id));
        progress("\nshop: up; Ctrl-C or SIGTERM stops it");
        Ok(())
    }

    fn timeline(self, id: &str) -> String {
        let (binary, config) = (quoted(self.binary), quoted(self.config));
        format!("  {binary} --config {config} timeline {id}")
    }
}

/// Posts a file as Shopify would, signed with the configuration's secret.
fn curl(gateway: &str, body: &Path) -> String {
    let body = quoted(body);
    format!(
        r#"  curl -sS {gateway}/webhooks/shopify --data-binary @{body} \
    -H 'Content-Type: application/json' -H 'X-Shopify-Topic: orders/create' \
    -H 'X-Shopify-Shop-Domain: lantern.myshopify.com' -H 'X-Shopify-API-Version: 2026-04' \
    -H 'X-Shopify-Webhook-Id: example-1' \
    -H "X-Shopify-Hmac-Sha256: $(openssl dgst -sha256 -hmac {SECRET} -binary {body} | openssl base64 -A)""#
    )
}

/// As one word of a shell, whatever it holds.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if text.bytes().all(is_plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_one_word_of_the_shell() {
        assert_eq!(quoted(Path::new("/tmp/a-1/b.json")), "/tmp/a-1/b.json");
        for path in ["/tmp/a b$c", "/tmp/it's; rm"] {
            let said = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(Path::new(path)))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), path);
        }
    }

    #[test]
    fn the_webhook_is_a_well_formed_command_that_names_its_file_and_gateway() {
        let command = curl("http://127.0.0.1:1", Path::new("/tmp/a b/order.json"));
        let parsed = std::process::Command::new("sh")
            .args(["-n", "-c", &command])
            .status();
        assert!(parsed.unwrap().success(), "{command}");
        assert!(command.contains("@'/tmp/a b/order.json'"), "{command}");
        assert!(command.contains("http://127.0.0.1:1/webhooks/shopify"));
    }

    #[test]
    fn the_ids_are_all_in_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let ids: Vec<String> = (0..20).map(|n| format!("id-{n}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let invitation = Invitation {
            gateway: "http://127.0.0.1:1",
            folder: folder.path(),
            binary: Path::new("argosy"),
            config: Path::new("argosy.toml"),
        };
        invitation.tell(&ids).unwrap();
        let told = std::fs::read_to_string(folder.path().join("correlation-ids.txt")).unwrap();
        assert_eq!(told.lines().collect::<Vec<_>>(), ids);
        assert!(folder.path().join("order.json").exists());
    }
}
