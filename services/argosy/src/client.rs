//! The command line's own client of the gateway: it asks, bounded in time and size, and turns answers into exits.

use std::time::Duration;

use argosy_shell::{
    config::{Config, Secret},
    exit::Exit,
};
use reqwest::{Method, RequestBuilder, StatusCode, Url, header};
use serde_json::Value;

use crate::failed::{Failed, OrExit};

/// Longer than the gateway's own deadline, so that its answer comes first.
const ANSWER_MAX: Duration = Duration::from_secs(70);
const CONNECT_MAX: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Where the gateway is
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Where {
    /// The gateway's base URL [default: where the configuration has it listen]
    #[arg(long, global = true, value_name = "URL", env = "ARGOSY_GATEWAY_URL")]
    gateway: Option<String>,
}

/// A client of one gateway.
#[derive(Debug)]
pub(crate) struct GatewayClient {
    http: reqwest::Client,
    base: Url,
    token: Option<Secret>,
}

/// What the gateway answered, when it was not an error.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

/// What was answered, whatever it is.
struct Read {
    status: StatusCode,
    location: Option<String>,
    /// Null if it is no JSON.
    body: Value,
}

impl GatewayClient {
    /// A client without credentials.
    pub(crate) fn new(place: &Where, config: &Config) -> Result<Self, Failed> {
        let text = match &place.gateway {
            Some(url) => url.clone(),
            None => {
                let mut listen = config.gateway.listen;
                if listen.ip().is_unspecified() {
                    listen.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
                }
                format!("http://{listen}")
            }
        };
        let base = Url::parse(&text)
            .ok()
            .filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
            .ok_or_else(|| {
                Failed::new(
                    Exit::Usage,
                    "--gateway must be http(s)://host[:port][/path]",
                )
            })?;
        // Another part of the process may have installed it already; there is only one to install.
        drop(rustls::crypto::ring::default_provider().install_default());
        #[expect(
            clippy::disallowed_methods,
            reason = "the gateway is no vendor: the command line asks it without a journal"
        )]
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_MAX)
            .timeout(ANSWER_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            http,
            base,
            token: None,
        })
    }

    /// The same client with a token.
    pub(crate) fn with_token(self, token: Option<Secret>) -> Self {
        Self { token, ..self }
    }

    /// GET; the path's segments are encoded here.
    pub(crate) async fn get(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answer, Failed> {
        let request = self.request(Method::GET, segments, query);
        self.answer(request).await
    }

    /// POST of a body with its headers.
    pub(crate) async fn post(
        &self,
        segments: &[&str],
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Result<Answer, Failed> {
        let request = self.posted(segments, headers, body);
        self.answer(request).await
    }

    /// POST; what the gateway refuses as things stand (409) is an answer, too.
    pub(crate) async fn post_or_conflict(
        &self,
        segments: &[&str],
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Result<Result<Answer, Failed>, Failed> {
        let read = self.read(self.posted(segments, headers, body)).await?;
        match read.status {
            StatusCode::CONFLICT => Ok(Err(refusal(read.status, &read.body))),
            _ => self.judged(read).map(Ok),
        }
    }

    fn posted(
        &self,
        segments: &[&str],
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> RequestBuilder {
        let mut request = self.request(Method::POST, segments, &[]).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request
    }

    fn request(&self, method: Method, segments: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("http URLs have a path")
            .pop_if_empty()
            .extend(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Answer, Failed> {
        let read = self.read(request).await?;
        self.judged(read)
    }

    async fn read(&self, request: RequestBuilder) -> Result<Read, Failed> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the gateway is no vendor: the command line asks it without a journal"
        )]
        let mut response = request
            .send()
            .await
            .map_err(|error| self.unreachable(error))?;
        let status = response.status();
        let location = response
            .headers()
            .get(header::LOCATION)
            .and_then(|location| location.to_str().ok())
            .map(str::to_owned);
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.or_exit(Exit::Unavailable)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                let message =
                    format!("the gateway's answer is longer than {ANSWER_BYTES_MAX} bytes");
                return Err(Failed::new(Exit::Failed, message));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Read {
            status,
            location,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    }

    fn judged(&self, read: Read) -> Result<Answer, Failed> {
        let Read {
            status,
            location,
            body,
        } = read;
        match status {
            _ if status.is_success() && body.is_object() => Ok(Answer { location, body }),
            // Whatever stands before a gateway may fail in its own words, but it knows the gateway's addresses.
            StatusCode::NOT_FOUND if !body.is_object() => Err(self.foreign()),
            _ if status.is_success() => Err(self.foreign()),
            _ => Err(refusal(status, &body)),
        }
    }

    /// What answered does not speak as a gateway does.
    pub(crate) fn foreign(&self) -> Failed {
        let message = format!(
            "what answers at {} is no Argosy gateway: --gateway names another",
            self.base
        );
        Failed::new(Exit::Failed, message)
    }

    fn unreachable(&self, error: reqwest::Error) -> Failed {
        let message = if error.is_connect() {
            format!(
                "cannot reach the gateway at {}: is it running there? --gateway names another",
                self.base
            )
        } else {
            format!("the gateway at {} did not answer", self.base)
        };
        Failed {
            exit: Exit::Unavailable,
            error: anyhow::Error::new(error.without_url()).context(message),
        }
    }
}

/// A problem document as a failure.
fn refusal(status: StatusCode, body: &Value) -> Failed {
    let said = |field: &str| body.get(field).and_then(Value::as_str);
    let what = said("detail")
        .or(said("title"))
        .unwrap_or("no reason given");
    let path = said("path").map_or_else(String::new, |path| format!("{path}: "));
    let (exit, remedy) = match status {
        StatusCode::NOT_FOUND => (Exit::NotFound, ""),
        StatusCode::SERVICE_UNAVAILABLE => (Exit::Unknown, ""),
        StatusCode::TOO_MANY_REQUESTS => (Exit::Unavailable, ""),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            (Exit::Failed, ": check the token in the configuration")
        }
        _ => (Exit::Failed, ""),
    };
    let message = format!(
        "the gateway answered {}: {path}{what}{remedy}",
        status.as_u16()
    );
    Failed::new(exit, message)
}
