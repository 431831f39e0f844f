//! Whether a webhook is Shopify's: base64 of HMAC-SHA256 over the raw body, keyed with the app's client secret.
//!
//! Invariant: compared in constant time, over the bytes as they came; two secrets are live while one is being rotated.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

/// The header that carries the signature, in lower case.
pub const SIGNATURE_HEADER: &str = "x-shopify-hmac-sha256";

const SIGNATURE_BYTES: usize = 32;

/// Base64 of so many bytes.
const SIGNATURE_CHARS: usize = 44;

/// The secrets that may have signed a delivery.
#[derive(Clone)]
pub struct WebhookSecrets {
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

/// Why secrets cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SecretError {
    /// Anybody could sign with it.
    #[error("a webhook secret is empty; set it to the app's client secret")]
    Empty,
}

/// Why a delivery is not taken for Shopify's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error("the header x-shopify-hmac-sha256 is missing")]
    Missing,
    /// It is not base64 of 32 bytes.
    #[error("the header x-shopify-hmac-sha256 is not base64 of 32 bytes")]
    Malformed,
    /// No live secret made it.
    #[error(
        "the signature does not fit the body; check that the webhook secret is the app's client secret"
    )]
    Wrong,
}

impl WebhookSecrets {
    /// The current secret, and the one before it as long as deliveries may still be signed with that.
    ///
    /// # Errors
    ///
    /// If a secret is empty.
    pub fn new(current: &str, previous: Option<&str>) -> Result<Self, SecretError> {
        Ok(Self {
            current: keyed(current)?,
            previous: previous.map(keyed).transpose()?,
        })
    }

    /// Succeeds if a live secret signed exactly these bytes.
    ///
    /// # Errors
    ///
    /// All of them mean 401.
    pub fn verify(&self, signature: Option<&[u8]>, body: &[u8]) -> Result<(), SignatureError> {
        let signature = signature.ok_or(SignatureError::Missing)?;
        if signature.len() != SIGNATURE_CHARS {
            return Err(SignatureError::Malformed);
        }
        let signature = STANDARD
            .decode(signature)
            .ok()
            .filter(|signature| signature.len() == SIGNATURE_BYTES)
            .ok_or(SignatureError::Malformed)?;
        let is_signed = |secret: &Hmac<Sha256>| {
            secret
                .clone()
                .chain_update(body)
                .verify_slice(&signature)
                .is_ok()
        };
        if is_signed(&self.current) || self.previous.as_ref().is_some_and(is_signed) {
            return Ok(());
        }
        Err(SignatureError::Wrong)
    }
}

impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = 1 + usize::from(self.previous.is_some());
        write!(f, "WebhookSecrets({count}, redacted)")
    }
}

fn keyed(secret: &str) -> Result<Hmac<Sha256>, SecretError> {
    if secret.is_empty() {
        return Err(SecretError::Empty);
    }
    Ok(Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length"))
}
