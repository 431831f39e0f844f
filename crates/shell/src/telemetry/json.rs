//! One JSON object per line and event: time, level, target, message, the process, the fields of the spans around the
//! event, and its own, which win. A field never spans lines, and a line is written whole.

use std::{fmt, io::Write};

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

/// A longer text is cut: a log line is for reading.
const TEXT_BYTES_MAX: usize = 8 << 10;

/// The layer; `fixed` stands in every line.
#[derive(Debug)]
pub(crate) struct JsonLines {
    fixed: Map<String, Value>,
}

impl JsonLines {
    pub(crate) fn new(process: &str) -> Self {
        let mut fixed = Map::new();
        fixed.insert("process".to_owned(), process.into());
        fixed.insert("pid".to_owned(), std::process::id().into());
        Self { fixed }
    }

    fn line(&self, time: String, event: &Event<'_>, around: Vec<Map<String, Value>>) -> Vec<u8> {
        let metadata = event.metadata();
        let mut line = Map::new();
        line.insert("time".to_owned(), time.into());
        line.insert(
            "level".to_owned(),
            metadata.level().as_str().to_ascii_lowercase().into(),
        );
        line.insert("target".to_owned(), metadata.target().into());
        line.extend(self.fixed.clone());
        line.extend(around.into_iter().flatten());
        event.record(&mut Fields(&mut line));
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for JsonLines {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, cx: Context<'_, S>) {
        let mut fields = Map::new();
        attributes.record(&mut Fields(&mut fields));
        if let Some(span) = cx.span(id) {
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, cx: Context<'_, S>) {
        if let Some(span) = cx.span(id)
            && let Some(SpanFields(fields)) = span.extensions_mut().get_mut()
        {
            values.record(&mut Fields(fields));
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a log line carries the time at which it was written"
    )]
    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let around = cx.event_scope(event).into_iter().flat_map(|scope| {
            scope.from_root().filter_map(|span| {
                let extensions = span.extensions();
                extensions.get().map(|SpanFields(fields)| fields.clone())
            })
        });
        let line = self.line(jiff::Timestamp::now().to_string(), event, around.collect());
        // Nobody is left to be told when stderr is gone.
        drop(std::io::stderr().lock().write_all(&line));
    }
}

struct SpanFields(Map<String, Value>);

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, bounded(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, bounded(&format!("{value:?}")));
    }
}

fn bounded(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    let end = (0..=TEXT_BYTES_MAX)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Collects the lines instead of writing them.
    struct Collect(JsonLines, Arc<Mutex<Vec<Value>>>);

    impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collect {
        fn on_new_span(
            &self,
            attributes: &span::Attributes<'_>,
            id: &span::Id,
            cx: Context<'_, S>,
        ) {
            self.0.on_new_span(attributes, id, cx);
        }

        fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
            let mut around = Vec::new();
            for span in cx
                .event_scope(event)
                .into_iter()
                .flat_map(|scope| scope.from_root())
            {
                let extensions = span.extensions();
                around.extend(extensions.get().map(|SpanFields(fields)| fields.clone()));
            }
            let line = self.0.line("now".to_owned(), event, around);
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            self.1
                .lock()
                .unwrap()
                .push(serde_json::from_slice(&line).unwrap());
        }
    }

    fn lines(act: impl FnOnce()) -> Vec<Value> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let layer = Collect(JsonLines::new("worker orders"), Arc::clone(&lines));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
        lines.lock().unwrap().clone()
    }

    #[test]
    fn a_line_has_its_own_fields_those_around_it_and_the_process() {
        let lines = lines(|| {
            let span = tracing::info_span!("run", worker = "orders", attempt = 1);
            let _entered = span.enter();
            tracing::info!(attempt = 2, event.id = "a\nb", "settled");
        });
        assert_eq!(lines[0]["message"], "settled");
        assert_eq!(lines[0]["process"], "worker orders");
        assert_eq!(lines[0]["worker"], "orders");
        assert_eq!(lines[0]["attempt"], 2);
        assert_eq!(lines[0]["event.id"], "a\nb");
        assert_eq!(lines[0]["level"], "info");
    }

    #[test]
    fn an_endless_text_is_cut_at_a_character() {
        let cut = bounded(&"ü".repeat(TEXT_BYTES_MAX));
        assert!(cut.len() <= TEXT_BYTES_MAX + '…'.len_utf8());
    }
}
