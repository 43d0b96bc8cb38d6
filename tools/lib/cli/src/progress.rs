use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line on stderr that shows how far a program is; nothing when stderr is not a terminal.
pub struct Progress(Option<ProgressBar>);

/// Starts a progress line of `total` steps (unknown: `None`), called `noun` in the plural.
pub fn progress(total: Option<u64>, noun: &'static str) -> Progress {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
    if bar.is_hidden() {
        return Progress(None);
    }
    let template = match total {
        Some(_) => {
            format!("{{prefix}}: {{bar:30}} {{human_pos}}/{{human_len}} {noun} {{msg}} (left: {{eta}})")
        }
        None => format!("{{prefix}}: {{human_pos}} {noun} {{msg}} ({{per_sec}})"),
    };
    // A template that indicatif does not like would only cost the looks of the line.
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.set_prefix(diagnostics::program());
    Progress(Some(bar))
}

impl Progress {
    /// `n` more steps are done.
    pub fn advance(&self, n: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(n);
        }
    }

    /// Says what is being done now.
    pub fn doing(&self, what: impl Into<Cow<'static, str>>) {
        if let Some(bar) = &self.0 {
            bar.set_message(what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
