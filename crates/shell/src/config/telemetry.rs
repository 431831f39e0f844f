//! `[telemetry]`: what is logged, and how it looks.

use serde::Serialize;

use super::section::Section;

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For human eyes.
    Text,
}

const FORMATS: [(&str, LogFormat); 2] = [("json", LogFormat::Json), ("text", LogFormat::Text)];

/// `[telemetry]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Telemetry {
    /// What is logged: a level, or directives such as `info,argosy_runtime=debug`.
    pub filter: String,
    /// How it looks.
    pub format: LogFormat,
}

pub(crate) fn read(mut section: Section<'_>) -> Telemetry {
    let telemetry = Telemetry {
        filter: section
            .parsed("filter", |text| {
                tracing_subscriber::EnvFilter::try_new(text)
                    .map(|_| text.to_owned())
                    .map_err(|_| {
                        "is no filter: write a level (error, warn, info, debug, trace) or target=level,…"
                            .to_owned()
                    })
            })
            .unwrap_or_else(|| "info".to_owned()),
        format: section.choice("format", &FORMATS).unwrap_or_default(),
    };
    section.finish();
    telemetry
}
