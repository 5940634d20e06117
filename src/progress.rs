//! A progress bar for a training loop.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Shows on standard error how far an epoch has come; silent where that is no terminal. It vanishes when
/// dropped.
///
/// ```
/// # use retrograd::Progress;
/// let batches = [0.9, 0.7, 0.5];
/// let progress = Progress::new("epoch 1", batches.len());
/// for loss in batches {
///     progress.advance(format!("loss {loss:.3}"));
/// }
/// ```
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar of `steps` steps behind a label.
    pub fn new(label: impl Into<String>, steps: usize) -> Self {
        let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {eta:>4} {msg}");
        let bar = ProgressBar::new(steps as u64).with_prefix(label.into());
        // The template is a constant; should indicatif ever refuse it, its own style serves.
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// One step more, with a message behind the bar.
    pub fn advance(&self, message: impl Into<String>) {
        self.0.set_message(message.into());
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
